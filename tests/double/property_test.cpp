#include "tests/property.h"
