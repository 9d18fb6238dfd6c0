// All ops.
#pragma once
#include "core/ops/batch_norm.h"
#include "core/ops/conv.h"
#include "core/ops/dropout.h"
#include "core/ops/elementwise.h"
#include "core/ops/epilogue.h"
#include "core/ops/group_norm.h"
#include "core/ops/loss.h"
#include "core/ops/matmul.h"
#include "core/ops/per_channel.h"
#include "core/ops/pool.h"
#include "core/ops/rearrange.h"
#include "core/ops/reduce.h"
