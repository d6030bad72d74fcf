# A virtual environment, a module, its tests.
set -eu
python3 -m venv --without-pip environment
printf 'import unittest, subprocess\nclass T(unittest.TestCase):\n  def test(self): self.assertEqual(subprocess.check_output(["echo", "a"]), b"a\\n")\n' >test_a.py
environment/bin/python -m unittest -q test_a
tar czf environment.tar.gz environment
