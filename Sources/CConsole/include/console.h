#pragma once

#include <stddef.h>

/// A file of the web console.
struct console_file {
  const char *_Nonnull name;
  /// Its media type.
  const char *_Nonnull type;
  const unsigned char *_Nonnull bytes;
  size_t length;
};

/// The files, of which the page that a browser asks for first comes first; null after the last one.
const struct console_file *_Nullable console_file_at(size_t index);
