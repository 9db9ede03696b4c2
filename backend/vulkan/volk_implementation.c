/* The one translation unit that holds volk's code: Vulkan's entry points are loaded at run time, so
 * that a program with this backend starts on machines without a Vulkan loader. Built with hidden
 * symbols: the host process may link the real loader, whose functions have the same names. */
#define VOLK_IMPLEMENTATION
#include <volk.h>
