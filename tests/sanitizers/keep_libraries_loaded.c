/* Preloaded into sanitizer runs: a library that was closed stays where it is, so that a leak report can
 * name the Vulkan driver or engine that lost the memory, and a suppression can match it. */
int dlclose(void* handle);

int dlclose(void* handle) {
  (void)handle;
  return 0;
}
