// Linked to each example: they print coordinates with six digits; nine show every float32 as it is.
#include <iostream>

namespace {
struct ExactDigits {
  std::ios_base::Init streams;
  ExactDigits() {
    std::cerr.precision(9);
    std::cout.precision(9);
  }
} exactDigits;
}
