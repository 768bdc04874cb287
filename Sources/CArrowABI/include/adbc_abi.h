// The ADBC 1.1 driver interface: the structures that the specification defines
// (https://arrow.apache.org/adbc/).
#ifndef MAGIC_ADBC_ABI_H
#define MAGIC_ADBC_ABI_H

#include "arrow_c_data.h"

#endif
