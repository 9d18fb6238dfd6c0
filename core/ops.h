// All ops.
#pragma once
#include "core/conv.h"
#include "core/elementwise.h"
#include "core/epilogue.h"
#include "core/layout.h"
#include "core/loss.h"
#include "core/matmul.h"
#include "core/normalize.h"
#include "core/pool.h"
#include "core/reduce.h"
