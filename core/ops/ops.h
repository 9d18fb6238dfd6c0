// All ops.
#pragma once
#include "batch_norm.h"
#include "conv.h"
#include "dropout.h"
#include "elementwise.h"
#include "epilogue.h"
#include "group_norm.h"
#include "loss.h"
#include "matmul.h"
#include "per_channel.h"
#include "pool.h"
#include "rearrange.h"
#include "reduce.h"
