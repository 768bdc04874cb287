// What the dynamic linker knows, and Swift's Glibc module does not show.
#ifndef MAGIC_LOADER_H
#define MAGIC_LOADER_H

/// The path of the program or shared library that this code is part of; NULL when unknown.
const char *magic_image_path(void);

/// The path of a library that this process has loaded and whose path ends so; NULL for none. Valid
/// for as long as the library stays loaded.
const char *magic_loaded_library(const char *ending);

/// Has a loaded library's calls of an imported function go to `replacement`; gives how many places
/// were redirected, or -1 when its memory cannot be changed.
int magic_redirect_import(void *library, const char *name, void *replacement);

#endif
