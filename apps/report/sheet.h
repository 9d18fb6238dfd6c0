// A contact sheet: rows of pictures, a name at the left of each row.
#pragma once
#include <string>
#include <vector>

#include "data/formats/image.h"

namespace evenkeel {

struct SheetRow {
  std::string name;
  std::vector<Picture> pictures;
};

// All pictures are of one size and of one number of channels; so is the sheet. Small ones are enlarged by a whole
// factor, ones of more than 128 pixels made smaller. Names are drawn in capitals, at most 14 characters of them; a
// character that is neither a letter or digit of ASCII, nor one of - _ . and the blank, is a block.
Picture contact_sheet(const std::vector<SheetRow>& rows);

}  // namespace evenkeel
