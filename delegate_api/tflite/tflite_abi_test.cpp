#include "delegate_api/tflite/tflite_abi.h"

#include <gtest/gtest.h>

#ifdef LOCKSTEP_HAS_TFLITE_HEADERS
#include <tensorflow/lite/c/common.h>
#endif

namespace lockstep::delegate::abi {
namespace {

// What the versions we know of have in common on 64-bit machines.
TEST(TfliteAbi, LayoutsAreThoseOf64BitHosts) {
  EXPECT_EQ(sizeof(Tensor), 112u);
  EXPECT_EQ(offsetof(Tensor, quantization), 80u);
  EXPECT_EQ(offsetof(Registration, version), 56u);
  EXPECT_EQ(sizeof(Registration), 88u);
  EXPECT_EQ(offsetof(Node, delegate), 64u);
  EXPECT_EQ(offsetof(Context, replace_node_subsets_with_delegate_kernels), 64u);
  EXPECT_EQ(sizeof(Delegate), 48u);
  EXPECT_EQ(offsetof(FullyConnectedParams, keep_num_dims), 8u);
  EXPECT_EQ(offsetof(ReshapeParams, count), 32u);
  EXPECT_EQ(offsetof(ResizeParams, half_pixel_centers), 1u);
}

#ifdef LOCKSTEP_HAS_TFLITE_HEADERS
TEST(TfliteAbi, EveryFieldIsWhereTheRealHeadersHaveIt) {
  static_assert(sizeof(Tensor) == sizeof(TfLiteTensor));
  static_assert(offsetof(Tensor, type) == offsetof(TfLiteTensor, type));
  static_assert(offsetof(Tensor, data) == offsetof(TfLiteTensor, data));
  static_assert(offsetof(Tensor, dims) == offsetof(TfLiteTensor, dims));
  static_assert(offsetof(Tensor, params) == offsetof(TfLiteTensor, params));
  static_assert(offsetof(Tensor, allocation_type) == offsetof(TfLiteTensor, allocation_type));
  static_assert(offsetof(Tensor, bytes) == offsetof(TfLiteTensor, bytes));
  static_assert(offsetof(Tensor, allocation) == offsetof(TfLiteTensor, allocation));
  static_assert(offsetof(Tensor, name) == offsetof(TfLiteTensor, name));
  static_assert(offsetof(Tensor, delegate) == offsetof(TfLiteTensor, delegate));
  static_assert(offsetof(Tensor, buffer_handle) == offsetof(TfLiteTensor, buffer_handle));
  static_assert(offsetof(Tensor, data_is_stale) == offsetof(TfLiteTensor, data_is_stale));
  static_assert(offsetof(Tensor, is_variable) == offsetof(TfLiteTensor, is_variable));
  static_assert(offsetof(Tensor, quantization) == offsetof(TfLiteTensor, quantization));
  static_assert(offsetof(Tensor, sparsity) == offsetof(TfLiteTensor, sparsity));
  static_assert(offsetof(Tensor, dims_signature) == offsetof(TfLiteTensor, dims_signature));

  static_assert(sizeof(Node) <= sizeof(TfLiteNode));
  static_assert(offsetof(Node, inputs) == offsetof(TfLiteNode, inputs));
  static_assert(offsetof(Node, outputs) == offsetof(TfLiteNode, outputs));
  static_assert(offsetof(Node, user_data) == offsetof(TfLiteNode, user_data));
  static_assert(offsetof(Node, builtin_data) == offsetof(TfLiteNode, builtin_data));
  static_assert(offsetof(Node, delegate) == offsetof(TfLiteNode, delegate));

  static_assert(sizeof(Registration) >= sizeof(TfLiteRegistration));
  static_assert(offsetof(Registration, init) == offsetof(TfLiteRegistration, init));
  static_assert(offsetof(Registration, free) == offsetof(TfLiteRegistration, free));
  static_assert(offsetof(Registration, prepare) == offsetof(TfLiteRegistration, prepare));
  static_assert(offsetof(Registration, invoke) == offsetof(TfLiteRegistration, invoke));
  static_assert(offsetof(Registration, profiling_string) ==
                offsetof(TfLiteRegistration, profiling_string));
  static_assert(offsetof(Registration, builtin_code) == offsetof(TfLiteRegistration, builtin_code));
  static_assert(offsetof(Registration, custom_name) == offsetof(TfLiteRegistration, custom_name));
  static_assert(offsetof(Registration, version) == offsetof(TfLiteRegistration, version));

  static_assert(sizeof(Context) <= sizeof(TfLiteContext));
  static_assert(offsetof(Context, tensors_size) == offsetof(TfLiteContext, tensors_size));
  static_assert(offsetof(Context, get_execution_plan) == offsetof(TfLiteContext, GetExecutionPlan));
  static_assert(offsetof(Context, tensors) == offsetof(TfLiteContext, tensors));
  static_assert(offsetof(Context, resize_tensor) == offsetof(TfLiteContext, ResizeTensor));
  static_assert(offsetof(Context, report_error) == offsetof(TfLiteContext, ReportError));
  static_assert(offsetof(Context, get_node_and_registration) ==
                offsetof(TfLiteContext, GetNodeAndRegistration));
  static_assert(offsetof(Context, replace_node_subsets_with_delegate_kernels) ==
                offsetof(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels));

  static_assert(sizeof(Delegate) == sizeof(TfLiteDelegate));
  static_assert(offsetof(Delegate, data) == offsetof(TfLiteDelegate, data_));
  static_assert(offsetof(Delegate, prepare) == offsetof(TfLiteDelegate, Prepare));
  static_assert(offsetof(Delegate, copy_from_buffer_handle) ==
                offsetof(TfLiteDelegate, CopyFromBufferHandle));
  static_assert(offsetof(Delegate, copy_to_buffer_handle) ==
                offsetof(TfLiteDelegate, CopyToBufferHandle));
  static_assert(offsetof(Delegate, free_buffer_handle) ==
                offsetof(TfLiteDelegate, FreeBufferHandle));
  static_assert(offsetof(Delegate, flags) == offsetof(TfLiteDelegate, flags));
  static_assert(Delegate::kAllowDynamicTensors == kTfLiteDelegateFlagsAllowDynamicTensors);

  static_assert(sizeof(DelegateParams) == sizeof(TfLiteDelegateParams));
  static_assert(offsetof(DelegateParams, nodes_to_replace) ==
                offsetof(TfLiteDelegateParams, nodes_to_replace));
  static_assert(offsetof(DelegateParams, input_tensors) ==
                offsetof(TfLiteDelegateParams, input_tensors));
  static_assert(offsetof(DelegateParams, output_tensors) ==
                offsetof(TfLiteDelegateParams, output_tensors));

  static_assert(sizeof(AffineQuantization) == sizeof(TfLiteAffineQuantization));
  static_assert(offsetof(AffineQuantization, zero_point) ==
                offsetof(TfLiteAffineQuantization, zero_point));
  static_assert(offsetof(AffineQuantization, quantized_dimension) ==
                offsetof(TfLiteAffineQuantization, quantized_dimension));
  static_assert(sizeof(Quantization) == sizeof(TfLiteQuantization));
  static_assert(sizeof(QuantizationParams) == sizeof(TfLiteQuantizationParams));
  static_assert(sizeof(IntArray) == offsetof(TfLiteIntArray, data));
  static_assert(sizeof(FloatArray) == offsetof(TfLiteFloatArray, data));
}

TEST(TfliteAbi, NumbersMeanWhatTheRealHeadersSay) {
  EXPECT_EQ(static_cast<int>(Status::kOk), kTfLiteOk);
  EXPECT_EQ(static_cast<int>(Status::kError), kTfLiteError);
  EXPECT_EQ(static_cast<int>(Type::kFloat32), kTfLiteFloat32);
  EXPECT_EQ(static_cast<int>(Type::kInt32), kTfLiteInt32);
  EXPECT_EQ(static_cast<int>(Type::kUint8), kTfLiteUInt8);
  EXPECT_EQ(static_cast<int>(Type::kInt64), kTfLiteInt64);
  EXPECT_EQ(static_cast<int>(Type::kBool), kTfLiteBool);
  EXPECT_EQ(static_cast<int>(Type::kInt16), kTfLiteInt16);
  EXPECT_EQ(static_cast<int>(Type::kInt8), kTfLiteInt8);
  EXPECT_EQ(static_cast<int>(Type::kFloat16), kTfLiteFloat16);
  EXPECT_EQ(static_cast<int>(AllocationType::kReadOnlyModel), kTfLiteMmapRo);
  EXPECT_EQ(static_cast<int>(AllocationType::kDynamic), kTfLiteDynamic);
  EXPECT_EQ(Quantization::kAffine, kTfLiteAffineQuantization);
}
#endif

}  // namespace
}  // namespace lockstep::delegate::abi
