// Bindings 0 to 2 of every convolution: the input, packed weights and channel parameters. The input
// comes in units of 16 bytes, or in words with INPUT_WORDS.
//
// TEXEL_BUFFERS: all are read through uniform texel buffers. On drivers that compile for a
// processor's vector unit these cost a third of what storage buffers do.
#ifndef LOCKSTEP_CONVOLUTION_OPERANDS_GLSL
#define LOCKSTEP_CONVOLUTION_OPERANDS_GLSL

#ifdef INPUT_WORDS
#define INPUT_UNIT uint
#else
#define INPUT_UNIT uvec4
#endif

#ifdef TEXEL_BUFFERS
layout(binding = 0) uniform usamplerBuffer input_texels;
layout(binding = 1) uniform usamplerBuffer weights_texels;
layout(binding = 2) uniform usamplerBuffer parameter_texels;
#ifdef INPUT_WORDS
uint load_input(uint index) { return texelFetch(input_texels, int(index)).x; }
#else
uvec4 load_input(uint index) { return texelFetch(input_texels, int(index)); }
#endif
uvec4 load_weights(uint index) { return texelFetch(weights_texels, int(index)); }
uvec4 load_parameters(uint index) { return texelFetch(parameter_texels, int(index)); }
#else
layout(std430, binding = 0) readonly buffer Input { INPUT_UNIT input_data[]; };
layout(std430, binding = 1) readonly buffer Weights { uvec4 weights_data[]; };
layout(std430, binding = 2) readonly buffer ChannelParameters { uvec4 channel_parameters[]; };
INPUT_UNIT load_input(uint index) { return input_data[index]; }
uvec4 load_weights(uint index) { return weights_data[index]; }
uvec4 load_parameters(uint index) { return channel_parameters[index]; }
#endif

#endif
