#define _GNU_SOURCE
#include "CLoader.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *magic_image_path(void) {
  Dl_info info;
  struct link_map *map;
  if (!dladdr1((void *)magic_image_path, &info, (void **)&map, RTLD_DL_LINKMAP)) return NULL;
  // The program itself has no name there.
  return map->l_name[0] == '\0' ? "/proc/self/exe" : map->l_name;
}

// What is looked for among the loaded libraries, and what was found.
struct search {
  const char *ending;
  const char *found;
};

static int compare_ending(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  size_t length = strlen(info->dlpi_name), wanted = strlen(search->ending);
  if (length < wanted || strcmp(info->dlpi_name + length - wanted, search->ending) != 0) return 0;
  search->found = info->dlpi_name;
  return 1;
}

const char *magic_loaded_library(const char *ending) {
  struct search search = {ending, NULL};
  dl_iterate_phdr(compare_ending, &search);
  return search.found;
}

// Writes a slot of the table of imported functions, which the linker has made read-only.
static int write_slot(void **slot, void *value) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = (void *)((size_t)slot & ~(size - 1));
  if (mprotect(page, size, PROT_READ | PROT_WRITE) != 0) return -1;
  *slot = value;
  mprotect(page, size, PROT_READ);
  return 0;
}

int magic_redirect_import(void *library, const char *name, void *replacement) {
  struct link_map *map;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return -1;
  const char *names = NULL;
  const ElfW(Sym) *symbols = NULL;
  // Calls through the procedure linkage table, and those through addresses of data.
  const ElfW(Rela) *relocations[2] = {NULL, NULL};
  size_t sizes[2] = {0, 0};
  for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
    switch (entry->d_tag) {
      case DT_STRTAB: names = (const char *)entry->d_un.d_ptr; break;
      case DT_SYMTAB: symbols = (const ElfW(Sym) *)entry->d_un.d_ptr; break;
      case DT_JMPREL: relocations[0] = (const ElfW(Rela) *)entry->d_un.d_ptr; break;
      case DT_PLTRELSZ: sizes[0] = entry->d_un.d_val; break;
      case DT_RELA: relocations[1] = (const ElfW(Rela) *)entry->d_un.d_ptr; break;
      case DT_RELASZ: sizes[1] = entry->d_un.d_val; break;
    }
  }
  if (names == NULL || symbols == NULL) return -1;
  int count = 0;
  for (int table = 0; table < 2; table++) {
    for (size_t i = 0; relocations[table] != NULL && i < sizes[table] / sizeof(ElfW(Rela)); i++) {
      const ElfW(Rela) *relocation = &relocations[table][i];
      // The symbol's number is in the upper half; 0 means none, as for most of the second table.
      size_t symbol = relocation->r_info >> 32;
      if (symbol == 0 || strcmp(names + symbols[symbol].st_name, name) != 0) continue;
      if (write_slot((void **)(map->l_addr + relocation->r_offset), replacement) != 0) return -1;
      count++;
    }
  }
  return count;
}
