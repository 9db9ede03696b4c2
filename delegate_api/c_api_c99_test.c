/* That lockstep.h is C99 and that a C program can use what it declares. */
#include <lockstep/lockstep.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;

static void expect(int condition, const char* what) {
  if (!condition) {
    fprintf(stderr, "failed: %s (%s)\n", what, lockstep_last_error());
    ++failures;
  }
}

int main(void) {
  static const unsigned char rubbish[64] = {1, 2, 3};
  lockstep_model* model = NULL;
  lockstep_device* device = NULL;
  lockstep_engine* engine = NULL;
  lockstep_run* run = NULL;
  const lockstep_input input = {rubbish, sizeof rubbish};
  unsigned char room[4];
  const lockstep_output output = {room, sizeof room};
  lockstep_device_info info = {.struct_size = sizeof info};
  lockstep_device_options device_options = {.struct_size = sizeof device_options, .device = "ref"};
  lockstep_engine_options engine_options = {.struct_size = sizeof engine_options,
                                            .contract = "litert"};

  expect(strlen(lockstep_version()) > 0, "there is a version");
  expect(strcmp(lockstep_last_error(), "") == 0, "no error before the first one");
  expect(lockstep_model_create(rubbish, sizeof rubbish, NULL, &model) == LOCKSTEP_INVALID_MODEL,
         "rubbish is no model");
  expect(strlen(lockstep_last_error()) > 0, "an error has a message");
  expect(lockstep_device_open(&device_options, &device) == LOCKSTEP_OK, "the reference opens");
  expect(lockstep_device_get_info(device, &info) == LOCKSTEP_OK && strcmp(info.backend, "ref") == 0,
         "the reference is called ref");
  expect(
      lockstep_engine_create(model, device, &engine_options, &engine) == LOCKSTEP_INVALID_ARGUMENT,
      "no engine without a model");
  expect(engine == NULL, "a failed creation gives NULL");
  expect(lockstep_engine_submit(engine, &input, 1, &output, 1, &run) == LOCKSTEP_INVALID_ARGUMENT,
         "nothing runs without an engine");
  expect(run == NULL, "a failed submission gives NULL");
  lockstep_run_destroy(run);
  lockstep_engine_destroy(engine);
  lockstep_device_close(device);
  lockstep_model_destroy(model);
  return failures == 0 ? 0 : 1;
}
