# A colleague logs in and builds: a clean clone, make, the tests of it, install into the home directory.
exec su alex -c 'ssh -o BatchMode=yes 127.0.0.1 sh -s' <<'END'
set -eu
mkdir -p project bin
cd project
[ -d .git ] || git init --quiet
git config user.name Alex && git config user.email alex@example.org
for n in 1 2 3 4; do printf '#include <stdio.h>\nint part%d(int x) { printf("%%d\\n", x); return x * %d; }\n' $n $n >part$n.c; done
printf 'int part1(int);\nint main(void) { return part1(0); }\n' >main.c
printf 'program: main.o part1.o part2.o part3.o part4.o\n\tcc -o $@ $^\ntest: program\n\t./program\ninstall: test\n\tinstall -m 0755 program $(HOME)/bin/program\nclean:\n\trm -f *.o program\n' >Makefile
date >stamp
git add . && git commit --quiet --message "$(date)"
make -s clean && make -s -j2 && make -s test install && make -s clean
git log --oneline | head -n 3
work=$(mktemp -d)
git clone --quiet . "$work/clone"
make -s -C "$work/clone" test
rm -rf "$work"
END
