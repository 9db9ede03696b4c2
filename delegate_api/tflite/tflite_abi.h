// The part of TensorFlow Lite's C ABI that a delegate plugin touches, declared anew so that
// building needs nothing of TFLite. Layouts are those of 2.2 to 2.9 and of today's LiteRT on 64-bit
// machines: later versions only append fields, and this file ends each struct that the host hands
// us where 2.2 did. tflite_abi_test.cpp compares it with the real headers where they are.
//
// Structs keep the names of the original without its prefix: abi::Context is TfLiteContext.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::delegate::abi {

// TfLiteStatus.
enum class Status : int32_t { kOk = 0, kError = 1 };

// TfLiteType, as far as we give it a meaning.
enum class Type : int32_t {
  kFloat32 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kBool = 6,
  kInt16 = 7,
  kInt8 = 9,
  kFloat16 = 10,
};

// TfLiteIntArray and TfLiteFloatArray: `size` numbers follow the struct. Made with malloc, released
// with free, whoever does it.
struct IntArray {
  int32_t size;

  const int32_t* data() const { return reinterpret_cast<const int32_t*>(this + 1); }
  int32_t* data() { return reinterpret_cast<int32_t*>(this + 1); }
};
struct FloatArray {
  int32_t size;

  const float* data() const { return reinterpret_cast<const float*>(this + 1); }
};

// TfLiteQuantizationParams: the old way to say one scale; 0 means not quantized.
struct QuantizationParams {
  float scale;
  int32_t zero_point;
};

// TfLiteQuantization. `params` is an AffineQuantization* where type is kAffine.
struct Quantization {
  static constexpr int32_t kAffine = 1;
  int32_t type;
  void* params;
};
struct AffineQuantization {
  FloatArray* scale;
  IntArray* zero_point;
  int32_t quantized_dimension;
};

// TfLiteAllocationType, where the difference matters to us.
enum class AllocationType : int32_t {
  kReadOnlyModel = 1,  // the model file's own bytes
  kDynamic = 4,        // shape and memory come when an operator runs
};

struct Delegate;

// TfLiteTensor.
struct Tensor {
  Type type;
  void* data;
  IntArray* dims;
  QuantizationParams params;
  AllocationType allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  Delegate* delegate;
  int32_t buffer_handle;
  bool data_is_stale;
  bool is_variable;
  Quantization quantization;
  void* sparsity;
  const IntArray* dims_signature;
};

// TfLiteNode. 2.9 appends might_have_side_effect.
struct Node {
  IntArray* inputs;
  IntArray* outputs;
  IntArray* intermediates;
  IntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int32_t custom_initial_data_size;
  Delegate* delegate;
};

// TfLiteDelegateParams: what a kernel's init() gets as its buffer.
struct DelegateParams {
  Delegate* delegate;
  IntArray* nodes_to_replace;
  IntArray* input_tensors;
  IntArray* output_tensors;
};

struct Context;

// TfLiteRegistration. The host copies it from us by value: 64 bytes in 2.2 to 2.9, 88 in today's
// LiteRT, whose additional fields are zero where unused. The larger one serves both. Of a host's
// own registration, read nothing after `version`.
struct Registration {
  void* (*init)(Context* context, const char* buffer, size_t length);
  void (*free)(Context* context, void* buffer);
  Status (*prepare)(Context* context, Node* node);
  Status (*invoke)(Context* context, Node* node);
  const char* (*profiling_string)(const Context* context, const Node* node);
  int32_t builtin_code;
  const char* custom_name;
  int32_t version;
  void* unused_by_us[3];
};

// TfLiteContext, up to the last function we call.
struct Context {
  size_t tensors_size;
  Status (*get_execution_plan)(Context* context, IntArray** plan);
  Tensor* tensors;
  void* impl;
  // Takes ownership of `new_size`.
  Status (*resize_tensor)(Context* context, Tensor* tensor, IntArray* new_size);
  void (*report_error)(Context* context, const char* format, ...);
  Status (*add_tensors)(Context* context, int count, int* first_index);
  Status (*get_node_and_registration)(Context* context, int node_index, Node** node,
                                      Registration** registration);
  Status (*replace_node_subsets_with_delegate_kernels)(Context* context, Registration registration,
                                                       const IntArray* nodes, Delegate* delegate);
};

// TfLiteDelegate.
struct Delegate {
  // The delegate copes with tensors whose shapes come late; it also keeps the host from freezing
  // the network, so that its inputs can still be resized.
  static constexpr int64_t kAllowDynamicTensors = 1;

  void* data;
  Status (*prepare)(Context* context, Delegate* delegate);
  Status (*copy_from_buffer_handle)(Context* context, Delegate* delegate, int32_t handle,
                                    Tensor* tensor);
  Status (*copy_to_buffer_handle)(Context* context, Delegate* delegate, int32_t handle,
                                  Tensor* tensor);
  void (*free_buffer_handle)(Context* context, Delegate* delegate, int32_t* handle);
  int64_t flags;
};

// Registration::builtin_code of a delegate's kernel.
inline constexpr int32_t kBuiltinDelegate = 51;

// ---- Node::builtin_data, by builtin operator. Only fields that every version since 2.2 has. -----

// TfLitePadding.
enum class Padding : int32_t { kUnknown = 0, kSame = 1, kValid = 2 };

// TfLiteFusedActivation.
enum class Activation : int32_t {
  kNone = 0,
  kRelu = 1,
  kReluN1To1 = 2,
  kRelu6 = 3,
  kTanh = 4,
  kSignBit = 5,
  kSigmoid = 6,
};

struct ConvParams {
  Padding padding;
  int32_t stride_width;
  int32_t stride_height;
  Activation activation;
  int32_t dilation_width;
  int32_t dilation_height;
};

struct DepthwiseConvParams {
  Padding padding;
  int32_t stride_width;
  int32_t stride_height;
  int32_t depth_multiplier;
  Activation activation;
  int32_t dilation_width;
  int32_t dilation_height;
};

struct PoolParams {
  Padding padding;
  int32_t stride_width;
  int32_t stride_height;
  int32_t filter_width;
  int32_t filter_height;
  Activation activation;
};

struct FullyConnectedParams {
  static constexpr int32_t kDefaultWeightsFormat = 0;
  Activation activation;
  int32_t weights_format;
  bool keep_num_dims;
};

// TfLiteAddParams, TfLiteMulParams.
struct BinaryParams {
  Activation activation;
};

struct ConcatenationParams {
  int32_t axis;
  Activation activation;
};

struct SoftmaxParams {
  float beta;
};

struct ReducerParams {
  bool keep_dims;
};

// TfLiteReshapeParams, TfLiteSqueezeParams: `count` of the eight numbers are meant.
struct ReshapeParams {
  int32_t shape[8];
  int32_t count;
};
struct SqueezeParams {
  int32_t axes[8];
  int32_t count;
};

struct LeakyReluParams {
  float alpha;
};

// TfLiteResizeBilinearParams, TfLiteResizeNearestNeighborParams. The latter has its second field in
// hosts only that know version 3 of the operator, which not all do since 2.2.
struct ResizeParams {
  bool align_corners;
  bool half_pixel_centers;
};

// TfLiteDepthToSpaceParams, TfLiteSpaceToDepthParams.
struct PixelBlockParams {
  int32_t block_size;
};

}  // namespace lockstep::delegate::abi
