"""The kinds of Keras layers that a recipe may make, and the words that their configs may hold: fixed lists.

What is not here (Lambda, layers that load other files, classes of users) would let a file call what it names.
"""

from __future__ import annotations

_LAYERS = """
    Dense EinsumDense Embedding Identity Activation
    Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose
    DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D
    BatchNormalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization
    ReLU LeakyReLU PReLU ELU Softmax
    Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout GaussianNoise
    ActivityRegularization
    MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D
    UpSampling1D UpSampling2D UpSampling3D
    Flatten Reshape Permute RepeatVector Rescaling
    LSTM GRU SimpleRNN MultiHeadAttention GroupedQueryAttention
"""
LAYERS = frozenset(_LAYERS.split())

_ACTIVATIONS = """
    linear relu relu6 leaky_relu elu celu selu gelu silu swish mish glu tanh tanh_shrink sigmoid hard_sigmoid
    hard_silu hard_swish hard_tanh hard_shrink soft_shrink softplus softsign softmax log_softmax log_sigmoid
    exponential sparse_plus sparse_sigmoid sparsemax squareplus threshold
"""
ACTIVATIONS = frozenset(_ACTIVATIONS.split())

_INITIALIZERS = """
    zeros ones glorot_uniform glorot_normal he_uniform he_normal lecun_uniform lecun_normal random_normal random_uniform
    truncated_normal variance_scaling orthogonal identity constant
    Zeros Ones GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal RandomNormal RandomUniform
    TruncatedNormal VarianceScaling Orthogonal OrthogonalInitializer Identity IdentityInitializer Constant
"""
INITIALIZERS = frozenset(_INITIALIZERS.split())

_WORDS = """
    valid same causal channels_first channels_last nearest bilinear bicubic lanczos3 lanczos5 area
    max_norm non_neg unit_norm l1 l2 l1_l2
"""
WORDS = frozenset(_WORDS.split())
"""Other words that stand in configs."""

EQUATION = r"[a-zA-Z.]{1,24},[a-zA-Z.]{1,24}->[a-zA-Z.]{1,24}"
"""What an EinsumDense computes."""

ACTIVATION_KEYS = ("activation", "recurrent_activation")
OBJECT_KEYS = ("class_name", "module", "registered_name")
