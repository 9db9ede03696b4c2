/* A program of someone else's: C, the installed header, the installed library. */
#include <lockstep/lockstep.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  lockstep_device_list* devices = NULL;
  lockstep_model* model = NULL;
  const char not_a_model[] = "not a model";

  printf("Lockstep %s\n", lockstep_version());
  if (strcmp(lockstep_version(), EXPECTED_VERSION) != 0) {
    fprintf(stderr, "the package says version %s\n", EXPECTED_VERSION);
    return 1;
  }

  if (lockstep_device_list_create(&devices) != LOCKSTEP_OK) {
    fprintf(stderr, "no device list: %s\n", lockstep_last_error());
    return 1;
  }
  for (size_t index = 0; index < lockstep_device_list_count(devices); ++index) {
    lockstep_device_info info = {.struct_size = sizeof info};
    if (lockstep_device_list_get(devices, index, &info) != LOCKSTEP_OK) return 1;
    printf("device %zu: %s (%s)\n", index, info.name, info.backend);
  }
  if (lockstep_device_list_count(devices) == 0) {
    fprintf(stderr, "the reference implementation is missing from the device list\n");
    return 1;
  }
  lockstep_device_list_destroy(devices);

  if (lockstep_model_create(not_a_model, sizeof not_a_model, "rubbish", &model) !=
          LOCKSTEP_INVALID_MODEL ||
      model != NULL || strlen(lockstep_last_error()) == 0) {
    fprintf(stderr, "rubbish was not refused as it should be\n");
    return 1;
  }
  return 0;
}
