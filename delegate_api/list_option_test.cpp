#include "delegate_api/list_option.h"

#include <gmock/gmock.h>

namespace lockstep::delegate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitList, DropsSpacesAndEmptyEntries) {
  EXPECT_THAT(split_list(" CONV_2D ,,ADD, a b ,"), ElementsAre("CONV_2D", "ADD", "a b"));
  EXPECT_THAT(split_list(" , "), IsEmpty());
}

}  // namespace
}  // namespace lockstep::delegate
