# configure, make, make test in a temporary directory, as package builders and installers of languages do.
set -eu
cat >configure <<'END'
#!/bin/sh
for header in stdio.h unistd.h sys/epoll.h; do
  printf '#include <%s>\nint main(void) { return 0; }\n' $header >conftest.c
  cc -o conftest conftest.c && ./conftest && echo "checking for $header... yes"
done
rm -f conftest conftest.c
END
chmod +x configure && ./configure
for n in 1 2 3 4; do printf '#include <stdio.h>\nint part%d(int x) { return printf("%%d\\n", x); }\n' $n >part$n.c; done
printf 'int part1(int);\nint main(void) { return part1(0) - 2; }\n' >main.c
printf 'program: main.o part1.o part2.o part3.o part4.o\n\tcc -o $@ $^\ncheck: program\n\t./program\n' >Makefile
make -s -j2 && make -s check
python3 -c 'import sys, json; print(json.dumps(sys.version))'
