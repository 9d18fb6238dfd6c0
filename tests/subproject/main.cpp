#include <evenkeel/evenkeel.h>

int main() { return evenkeel::sum(evenkeel::Tensor::full({2, 2}, 1)).item() == 4 ? 0 : 1; }
