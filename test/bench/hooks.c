/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Attaches every program of an object file, says so, and keeps them until it is ended: hooks OBJECT */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *program;

	if (!object || bpf_object__load(object)) {
		fprintf(stderr, "hooks: the programs do not load\n");
		return 1;
	}
	bpf_object__for_each_program(program, object) {
		if (!bpf_program__attach(program)) {
			fprintf(stderr, "hooks: %s does not attach\n", bpf_program__name(program));
			return 1;
		}
	}
	puts("attached");
	fflush(stdout);
	pause();
}
