// A contact sheet: rows of pictures, with a name on the left.
#pragma once
#include <string>
#include <vector>

#include "data/formats/image.h"

namespace evenkeel {

struct SheetRow {
  std::string name;
  std::vector<Picture> pictures;
};

// All pictures must have the same size and channels, which are also the sheet's. Small ones are enlarged by an integer
// factor; ones above 128 pixels are reduced. Names are in capitals, at most 14 characters; characters other than ASCII
// letters, digits, - _ . and the space become a block.
Picture contact_sheet(const std::vector<SheetRow>& rows);

}  // namespace evenkeel
