// What the files of exercises and their graders may use: the standard library's common headers, every op, the layers
// and their norms. Precompiled, and small for that reason: each further header is paid for at each save.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "../../../core/ops/ops.h"
#include "../../../data/loader.h"
#include "../../../layers/activation.h"
#include "../../../layers/conv2d.h"
#include "../../../layers/dense.h"
#include "../../../layers/model/fold.h"
#include "../../../layers/norm/batch_norm.h"
#include "../../../layers/norm/batch_renorm.h"
#include "../../../layers/norm/layer_norm.h"
#include "../../../layers/norm/recalibrate.h"
#include "../../../layers/pooling.h"
#include "../../../layers/sequential.h"
#include "../../../optim/curvature/eigenvalue.h"
#include "../../../optim/sgd.h"
#include "grade.h"
