// All ops. An op throws Error(Fault::usage) for arguments outside its contract; the message names the op and what it
// got.
#pragma once
#include "all_sum.h"
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
