/* Lockstep: exact int8 neural networks on any device. The stable C API.
 *
 * A network is read from .tflite bytes (lockstep_model), a device is opened (lockstep_device), and
 * both make an engine (lockstep_engine) that runs inferences under a numerics contract: the name of
 * the inference engine whose rounding the results reproduce bit for bit. The bits do not depend on
 * the device.
 *
 *   lockstep_model* model = NULL;
 *   lockstep_device* device = NULL;
 *   lockstep_engine* engine = NULL;
 *   if (lockstep_model_create_from_file("net.tflite", &model) != LOCKSTEP_OK ||
 *       lockstep_device_open(NULL, &device) != LOCKSTEP_OK ||
 *       lockstep_engine_create(model, device, NULL, &engine) != LOCKSTEP_OK ||
 *       lockstep_engine_set_input(engine, 0, image, image_bytes) != LOCKSTEP_OK ||
 *       lockstep_engine_run(engine) != LOCKSTEP_OK ||
 *       lockstep_engine_get_output(engine, 0, scores, score_bytes) != LOCKSTEP_OK) {
 *     fprintf(stderr, "%s\n", lockstep_last_error());
 *   }
 *   lockstep_engine_destroy(engine);
 *   lockstep_device_close(device);
 *   lockstep_model_destroy(model);
 *
 * Errors. Every function that can fail returns a lockstep_status; lockstep_last_error() then gives
 * the message. No function throws, aborts, or writes to its outputs when it fails, except that a
 * created handle is set to NULL. A NULL handle or required pointer is LOCKSTEP_INVALID_ARGUMENT.
 *
 * Ownership. What *_create, *_open and *_list give is the caller's until the matching destroy
 * function, which takes NULL. An engine keeps alive what it needs: model and device may be
 * destroyed before it. Strings inside structs belong to the handle they were asked from and live as
 * long as it does; data given to a function is copied before it returns.
 *
 * Threads. Different handles may be used from different threads. One handle is used by one thread
 * at a time, except that a device may be shared by engines on several threads, a model may be read
 * by several while nobody resizes it, lockstep_engine_submit may be called by several at once, and
 * several may poll or wait for one run.
 *
 * Versions. A struct begins with struct_size, which the caller sets to sizeof the struct it was
 * compiled with. Later versions append fields; an older caller's missing fields mean zero, and a
 * newer caller's unknown fields must be zero. Zero always means the default.
 *
 * Data. Activations are dense, row-major, batch first and channels last (NHWC), in the machine's
 * byte order (little-endian), with the element type the model file gives.
 */
#ifndef LOCKSTEP_LOCKSTEP_H_
#define LOCKSTEP_LOCKSTEP_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LOCKSTEP_API
#else
#define LOCKSTEP_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ----------------------------------------------------------------------------------*/

typedef int32_t lockstep_status;
enum {
  LOCKSTEP_OK = 0,
  LOCKSTEP_INVALID_ARGUMENT = 1,   /* an option, size, index or pointer is wrong */
  LOCKSTEP_INVALID_MODEL = 2,      /* the model file says something that cannot be true */
  LOCKSTEP_UNSUPPORTED = 3,        /* well-formed, but nothing here computes it */
  LOCKSTEP_NOT_FOUND = 4,          /* a file is absent */
  LOCKSTEP_DEVICE_UNAVAILABLE = 5, /* no usable device or driver */
  LOCKSTEP_DEVICE_LOST = 6,        /* the device stopped answering */
  LOCKSTEP_OUT_OF_MEMORY = 7,
  LOCKSTEP_INTERNAL = 8 /* a bug of ours */
};

/* "ok", "invalid argument", ...; "unknown status" for any other number. Never NULL. */
LOCKSTEP_API const char* lockstep_status_name(lockstep_status status);

/* The message of this thread's last failed call: what, where and why, for a person. Empty before
 * the first failure. Valid until this thread's next failing call. Never NULL. */
LOCKSTEP_API const char* lockstep_last_error(void);

/* Version of the library, "0.1.0". */
LOCKSTEP_API const char* lockstep_version(void);

/* ---- Models ----------------------------------------------------------------------------------*/

typedef struct lockstep_model lockstep_model;

/* Element types. */
typedef int32_t lockstep_data_type;
enum {
  LOCKSTEP_INT8 = 1,
  LOCKSTEP_UINT8 = 2,
  LOCKSTEP_INT16 = 3,
  LOCKSTEP_INT32 = 4,
  LOCKSTEP_INT64 = 5,
  LOCKSTEP_FLOAT16 = 6,
  LOCKSTEP_FLOAT32 = 7,
  LOCKSTEP_BOOL = 8,
  LOCKSTEP_OTHER_TYPE = 9 /* strings and the like; no engine gives their contents */
};

/* One tensor. real = scale * (quantized - zero_point). */
typedef struct lockstep_tensor_info {
  size_t struct_size;
  const char* name;
  lockstep_data_type type;
  int32_t rank;
  const int32_t* shape; /* rank extents, outermost first */
  size_t byte_size;     /* of the dense contents; 0 for LOCKSTEP_OTHER_TYPE */
  int32_t is_constant;  /* 1: contents come from the model file */
  int32_t scale_count;  /* 0: not quantized; 1: per tensor; more: one for each index of `axis` */
  const float* scales;
  const int32_t* zero_points;
  int32_t axis;
  int32_t reserved;
} lockstep_tensor_info;

/* Reads the first subgraph of a .tflite file's `size` bytes at `bytes` (copied). Nothing the bytes
 * say is believed unverified. `name` is what messages call the model; NULL: "model". */
LOCKSTEP_API lockstep_status lockstep_model_create(const void* bytes, size_t size, const char* name,
                                                   lockstep_model** model);

/* As above, from a file. */
LOCKSTEP_API lockstep_status lockstep_model_create_from_file(const char* path,
                                                             lockstep_model** model);

LOCKSTEP_API void lockstep_model_destroy(lockstep_model* model);

/* Counts; 0 for a NULL model. Tensors and operators are numbered as in the file. */
LOCKSTEP_API size_t lockstep_model_input_count(const lockstep_model* model);
LOCKSTEP_API size_t lockstep_model_output_count(const lockstep_model* model);
LOCKSTEP_API size_t lockstep_model_tensor_count(const lockstep_model* model);
LOCKSTEP_API size_t lockstep_model_operator_count(const lockstep_model* model);

/* The tensor index of network input or output `index`. */
LOCKSTEP_API lockstep_status lockstep_model_get_input_tensor(const lockstep_model* model,
                                                             size_t index, int32_t* tensor);
LOCKSTEP_API lockstep_status lockstep_model_get_output_tensor(const lockstep_model* model,
                                                              size_t index, int32_t* tensor);

/* Describes tensor `tensor`. `info->struct_size` is set by the caller. The pointers inside live
 * until the model is resized or destroyed. */
LOCKSTEP_API lockstep_status lockstep_model_get_tensor(const lockstep_model* model, int32_t tensor,
                                                       lockstep_tensor_info* info);

/* Gives network input `index` a new shape and carries it through the network; engines made before
 * keep the old one. The outermost (batch) extent may always change, others where the file says so.
 * The rank stays. On failure the model is unchanged. */
LOCKSTEP_API lockstep_status lockstep_model_resize_input(lockstep_model* model, size_t index,
                                                         const int32_t* shape, int32_t rank);

/* ---- Devices ---------------------------------------------------------------------------------*/

typedef struct lockstep_device_list lockstep_device_list;
typedef struct lockstep_device lockstep_device;

typedef struct lockstep_device_info {
  size_t struct_size;
  const char* backend;     /* "vulkan", "cpu", "ref" */
  const char* name;        /* as the driver gives it */
  const char* kind;        /* "discrete GPU", "integrated GPU", "virtual GPU", "CPU", "other" */
  const char* driver;      /* driver name and version */
  const char* api_version; /* "1.3.230"; empty where there is none */
  const char* device_uuid; /* hex; empty where there is none */
} lockstep_device_info;

/* All devices of all backends, best first; behind them this processor ("cpu"), where there are kernels
 * for it, and the reference implementation ("ref"), which is always there. */
LOCKSTEP_API lockstep_status lockstep_device_list_create(lockstep_device_list** list);
LOCKSTEP_API void lockstep_device_list_destroy(lockstep_device_list* list);
LOCKSTEP_API size_t lockstep_device_list_count(const lockstep_device_list* list);
LOCKSTEP_API lockstep_status lockstep_device_list_get(const lockstep_device_list* list,
                                                      size_t index, lockstep_device_info* info);

typedef struct lockstep_device_options {
  size_t struct_size;
  /* NULL or "": the environment variable LOCKSTEP_DEVICE, or else the first accelerator. A number
   * is an index into the device list, "cpu" this processor, "ref" the reference implementation,
   * anything else part of a device's name. */
  const char* device;
  /* Capabilities to hide, comma-separated ("int-dot,shared-memory=16384"), so that this machine
   * stands in for a smaller one. NULL: none. */
  const char* mask;
  /* Folder for compiled pipelines and measured choices of kernels. NULL: $XDG_CACHE_HOME/lockstep,
   * or ~/.cache/lockstep. "": no file is read or written. A folder that cannot be written costs time
   * and nothing else. */
  const char* cache_dir;
  /* Of device "cpu": threads it computes with, the caller's included; 0: one for each physical
   * core. */
  int32_t threads;
} lockstep_device_options;

/* `options` may be NULL. LOCKSTEP_DEVICE_UNAVAILABLE lists the devices there are. */
LOCKSTEP_API lockstep_status lockstep_device_open(const lockstep_device_options* options,
                                                  lockstep_device** device);
LOCKSTEP_API void lockstep_device_close(lockstep_device* device);
LOCKSTEP_API lockstep_status lockstep_device_get_info(const lockstep_device* device,
                                                      lockstep_device_info* info);

/* ---- Engines ---------------------------------------------------------------------------------*/

typedef struct lockstep_engine lockstep_engine;

typedef struct lockstep_engine_options {
  size_t struct_size;
  /* Numerics contract: "tflite" (TFLite's builtin kernels), "litert" (XNNPACK), "reference"
   * (reference kernels, gemmlowp), "single" (single-rounding builds). NULL: "tflite". */
  const char* contract;
  /* Operators the device may take or never takes: comma-separated operator names ("CONV_2D") or
   * names of the tensors they produce. NULL or "": no such list. A name that is in neither the
   * model nor the set of known operators is an error. */
  const char* allow_ops;
  const char* deny_ops;
  /* Partitions with fewer operators stay on the host; 0 means 1. */
  int32_t min_nodes;
  /* At most so many partitions go to the device, those with the most work; 0: all. */
  int32_t max_partitions;
  /* 1: lockstep_engine_get_tensor gives every computed tensor. Costs memory and time. */
  int32_t keep_all_tensors;
  int32_t reserved;
  /* How many submitted runs a device may work on at once, each with memory of its own; 0 means 1,
   * at most 64. */
  int32_t runs_in_flight;
  /* 1: first measures which kernels are the fastest for this model on the device, which takes
   * seconds, and keeps the answers in the device's cache_dir; later engines use them by themselves.
   * 0: measures nothing. */
  int32_t tune;
  /* File for a trace of where the time of lockstep_engine_run goes on the device, to be opened in
   * ui.perfetto.dev or chrome://tracing: written when the engine is made and destroyed, and now and
   * then between. Profiled runs are slower. NULL or "": none. */
  const char* profile;
  /* Threads that compute what the device does not take; 0: one for each physical core. */
  int32_t host_threads;
} lockstep_engine_options;

/* Compiles the model for the device; what the device does not take runs on the host. `device` NULL:
 * all on the host. `options` NULL: defaults. */
LOCKSTEP_API lockstep_status lockstep_engine_create(const lockstep_model* model,
                                                    lockstep_device* device,
                                                    const lockstep_engine_options* options,
                                                    lockstep_engine** engine);
LOCKSTEP_API void lockstep_engine_destroy(lockstep_engine* engine);

/* Sets network input `index`; `size` must be its exact byte size. Inputs start as zeros and keep
 * their contents from run to run. */
LOCKSTEP_API lockstep_status lockstep_engine_set_input(lockstep_engine* engine, size_t index,
                                                       const void* data, size_t size);

/* One inference; returns when the outputs are there. A device that fails during a run is replaced
 * by the host for good: the results are the same bits, lockstep_engine_get_problem tells. */
LOCKSTEP_API lockstep_status lockstep_engine_run(lockstep_engine* engine);

/* Copies network output `index` of the last run; `size` must be its exact byte size.
 * LOCKSTEP_UNSUPPORTED with the reason when it depends on an operator that nothing here computes.
 */
LOCKSTEP_API lockstep_status lockstep_engine_get_output(const lockstep_engine* engine, size_t index,
                                                        void* data, size_t size);

/* Copies any tensor of the model by its index; needs keep_all_tensors except for constants, network
 * inputs and network outputs. */
LOCKSTEP_API lockstep_status lockstep_engine_get_tensor(const lockstep_engine* engine,
                                                        int32_t tensor, void* data, size_t size);

/* Where the contents of network input `index` lie, as `size` bytes: writing there instead of
 * calling lockstep_engine_set_input saves a copy. The same memory for the life of the engine; not
 * to be touched while lockstep_engine_run runs. */
LOCKSTEP_API lockstep_status lockstep_engine_get_input_memory(lockstep_engine* engine, size_t index,
                                                              void** data, size_t* size);

/* Where network output `index` of the last run lies: saves the copy of lockstep_engine_get_output.
 * Until the next run; not to be written. */
LOCKSTEP_API lockstep_status lockstep_engine_get_output_memory(const lockstep_engine* engine,
                                                               size_t index, const void** data,
                                                               size_t* size);

/* ---- Runs in the background ------------------------------------------------------------------*/

typedef struct lockstep_run lockstep_run;

typedef struct lockstep_input {
  const void* data;
  size_t size;
} lockstep_input;

typedef struct lockstep_output {
  void* data;
  size_t size;
} lockstep_output;

/* Starts an inference and returns while the device computes. `inputs` holds one element for each
 * network input, which are read before return; `outputs` one for each network output, whose memory
 * must stay until the run is over and may be written at any time until then (NULL with size 0: not
 * wanted). Sizes must be exact. Independent of lockstep_engine_run and its inputs and outputs.
 * Several threads may submit at once. More runs than runs_in_flight may be submitted; a call then
 * waits for the oldest. A device that fails is replaced by the host, with the same bits. */
LOCKSTEP_API lockstep_status lockstep_engine_submit(lockstep_engine* engine,
                                                    const lockstep_input* inputs,
                                                    size_t input_count,
                                                    const lockstep_output* outputs,
                                                    size_t output_count, lockstep_run** run);

/* Sets `is_over` to 1 when the run is over (the outputs are written, or it failed, as
 * lockstep_run_wait tells at once), else to 0. Does not wait for the device, but computes what the
 * host has to in between. Any thread may ask. */
LOCKSTEP_API lockstep_status lockstep_run_poll(lockstep_run* run, int32_t* is_over);

/* Waits for the end of the run; what became of it. Any thread may wait, also again. */
LOCKSTEP_API lockstep_status lockstep_run_wait(lockstep_run* run);

/* Waits, and ends the handle. A run may outlive its engine. */
LOCKSTEP_API void lockstep_run_destroy(lockstep_run* run);

/* ---- Reports: what ran where, and why --------------------------------------------------------*/

typedef int32_t lockstep_executor;
enum {
  LOCKSTEP_ON_DEVICE = 1,
  LOCKSTEP_ON_HOST = 2,
  LOCKSTEP_NOWHERE = 3 /* its outputs are unavailable */
};

typedef struct lockstep_operator_report {
  size_t struct_size;
  const char* name;        /* "CONV_2D" */
  const char* output_name; /* its first output tensor */
  const char* variant;     /* which kernel computes it; empty: none does */
  const char* reason;      /* why it is not on the device; empty when it is */
  lockstep_executor executor;
  int32_t step; /* programs run in this order; -1: nobody runs it */
} lockstep_operator_report;

/* What became of operator `index` (below lockstep_model_operator_count of the model). Strings live
 * until the engine's next run. */
LOCKSTEP_API lockstep_status lockstep_engine_get_operator(lockstep_engine* engine, size_t index,
                                                          lockstep_operator_report* report);

/* Things that went wrong and were survived (a device lost, a partition that did not compile): how
 * many, and the text of one; NULL beyond the end. Texts live until the engine's next run. */
LOCKSTEP_API size_t lockstep_engine_problem_count(const lockstep_engine* engine);
LOCKSTEP_API const char* lockstep_engine_get_problem(const lockstep_engine* engine, size_t index);

typedef struct lockstep_statistics {
  size_t struct_size;
  int64_t device_operators;
  int64_t host_operators;
  int64_t unavailable_operators;
  int64_t partitions; /* device programs */
  int64_t dispatches; /* of one run, over all partitions; likewise below */
  int64_t pipelines;
  int64_t device_constant_bytes;   /* weights and parameters on the device */
  int64_t device_activation_bytes; /* arenas for activations */
} lockstep_statistics;

LOCKSTEP_API lockstep_status lockstep_engine_get_statistics(const lockstep_engine* engine,
                                                            lockstep_statistics* statistics);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* LOCKSTEP_LOCKSTEP_H_ */
