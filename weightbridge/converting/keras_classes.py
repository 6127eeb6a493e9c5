"""The layer classes of Keras 3 and what their configurations may say."""

from collections.abc import Mapping

ADDITIVE = "use_bias bias_initializer bias_regularizer bias_constraint activity_regularizer"
KERNEL = f"kernel_initializer kernel_regularizer kernel_constraint {ADDITIVE}"
WINDOW = "kernel_size strides padding data_format dilation_rate activation"
DEPTH = "depth_multiplier depthwise_initializer depthwise_regularizer depthwise_constraint"
POINT = "pointwise_initializer pointwise_regularizer pointwise_constraint"
NORM = "axis epsilon center scale beta_initializer gamma_initializer"
NORMS = f"{NORM} beta_regularizer gamma_regularizer beta_constraint gamma_constraint"
CELL = (
    f"activation {KERNEL} recurrent_initializer recurrent_regularizer recurrent_constraint "
    "dropout recurrent_dropout seed"
)
SEQUENCE = "return_sequences return_state go_backwards stateful unroll zero_output_for_mask"
GATED = f"recurrent_activation {CELL}"
FILLED = "fill_mode interpolation seed fill_value data_format"
RANGED = "factor value_range seed data_format"
POOL = "pool_size strides padding data_format"
ATTENTION = (
    f"dropout attention_axes output_shape use_gate sliding_window seed {KERNEL.replace('use_bias ', '')}"
)

_ROWS: tuple[tuple[str, str], ...] = (
    ("InputLayer", "batch_shape dtype sparse"),
    ("Dense", f"units activation {KERNEL}"),
    ("EinsumDense", f"equation output_shape bias_axes activation {KERNEL.replace('use_bias ', '')}"),
    ("Conv1D Conv2D Conv3D", f"filters groups {WINDOW} {KERNEL}"),
    ("Conv1DTranspose Conv2DTranspose Conv3DTranspose", f"filters output_padding {WINDOW} {KERNEL}"),
    ("DepthwiseConv1D DepthwiseConv2D", f"{WINDOW} {DEPTH} {ADDITIVE}"),
    ("SeparableConv1D SeparableConv2D", f"filters {WINDOW} {DEPTH} {POINT} {ADDITIVE}"),
    (
        "BatchNormalization",
        f"{NORMS} momentum moving_mean_initializer moving_variance_initializer synchronized renorm "
        "renorm_clipping renorm_momentum",
    ),
    ("LayerNormalization", NORMS),
    ("GroupNormalization", f"groups {NORMS}"),
    ("RMSNormalization", "axis epsilon"),
    ("UnitNormalization Softmax", "axis"),
    (
        "Embedding",
        "input_dim output_dim mask_zero embeddings_initializer embeddings_regularizer embeddings_constraint",
    ),
    (
        "ReversibleEmbedding",
        "input_dim output_dim tie_weights mask_zero embeddings_initializer embeddings_regularizer "
        "embeddings_constraint reverse_dtype logit_soft_cap",
    ),
    ("LSTM", f"units unit_forget_bias {GATED} {SEQUENCE}"),
    ("GRU", f"units reset_after {GATED} {SEQUENCE}"),
    ("SimpleRNN", f"units {CELL} {SEQUENCE}"),
    ("LSTMCell", f"units unit_forget_bias {GATED}"),
    ("GRUCell", f"units reset_after {GATED}"),
    ("SimpleRNNCell", f"units {CELL}"),
    (
        "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
        f"filters unit_forget_bias {WINDOW} {GATED} return_sequences return_state go_backwards stateful",
    ),
    ("Bidirectional", "merge_mode"),
    ("RNN", SEQUENCE),
    ("TimeDistributed StackedRNNCells", ""),
    ("SpectralNormalization", "power_iterations"),
    ("MultiHeadAttention", f"num_heads key_dim value_dim use_bias {ATTENTION}"),
    (
        "GroupQueryAttention GroupedQueryAttention",
        f"head_dim num_query_heads num_key_value_heads use_bias {ATTENTION}",
    ),
    ("Attention", "use_scale score_mode dropout seed"),
    ("AdditiveAttention", "use_scale dropout"),
    ("MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D", POOL),
    ("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", "data_format keepdims"),
    ("GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", "data_format keepdims"),
    (
        "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D "
        "AdaptiveMaxPooling2D AdaptiveMaxPooling3D",
        "output_size data_format",
    ),
    ("Activation", "activation"),
    ("ReLU", "max_value negative_slope threshold"),
    ("LeakyReLU", "negative_slope"),
    ("ELU", "alpha"),
    ("PReLU", "alpha_initializer alpha_regularizer alpha_constraint shared_axes"),
    ("Add Subtract Multiply Average Maximum Minimum Identity", ""),
    ("Concatenate", "axis"),
    ("Dot", "axes normalize"),
    ("Flatten", "data_format"),
    ("Reshape", "target_shape"),
    ("Permute", "dims"),
    ("RepeatVector", "n"),
    ("ZeroPadding1D", "padding"),
    ("ZeroPadding2D ZeroPadding3D", "padding data_format"),
    ("Cropping1D", "cropping"),
    ("Cropping2D Cropping3D", "cropping data_format"),
    ("CenterCrop", "height width data_format"),
    ("UpSampling1D", "size"),
    ("UpSampling2D", "size data_format interpolation"),
    ("UpSampling3D", "size data_format"),
    ("Resizing", "height width interpolation crop_to_aspect_ratio data_format"),
    ("Rescaling", "scale offset"),
    ("Normalization", "axis mean variance invert"),
    ("Masking", "mask_value"),
    ("Dropout AlphaDropout", "rate noise_shape seed"),
    ("SpatialDropout1D", "rate seed"),
    ("SpatialDropout2D SpatialDropout3D", "rate data_format seed"),
    ("GaussianNoise", "stddev seed"),
    ("GaussianDropout", "rate seed"),
    ("ActivityRegularization", "l1 l2"),
    ("RandomFlip", "mode seed data_format"),
    ("RandomRotation", f"factor {FILLED}"),
    ("RandomZoom RandomTranslation", f"height_factor width_factor {FILLED}"),
    ("RandomShear", f"x_factor y_factor {FILLED}"),
    ("RandomPerspective", f"factor scale {FILLED}"),
    ("RandomElasticTransform", f"factor scale value_range {FILLED}"),
    ("RandomContrast", "factor seed"),
    ("RandomBrightness", "factor value_range seed"),
    ("RandomCrop", "height width seed data_format"),
    ("RandomHue RandomSaturation RandomSharpness RandomPosterization RandomInvert", RANGED),
    ("RandomColorDegeneration", RANGED),
    ("RandomColorJitter", f"brightness_factor contrast_factor saturation_factor hue_factor {RANGED}"),
    ("RandomErasing", f"scale fill_value {RANGED}"),
    ("RandomGaussianBlur", f"kernel_size sigma {RANGED}"),
    ("RandomGrayscale CutMix", "factor seed data_format"),
    ("MixUp", "alpha seed data_format"),
    ("AugMix", f"num_chains chain_depth alpha all_ops interpolation {RANGED}"),
    ("RandAugment", f"num_ops interpolation {RANGED}"),
    ("AutoContrast", "value_range"),
    ("Equalization", "value_range bins data_format"),
    ("ContrastLimitedAdaptiveHistogramEqualization", "value_range clip_limit tile_grid_size data_format"),
    ("Solarization", "addition_factor threshold_factor value_range seed"),
    (
        "StringLookup IntegerLookup",
        "max_tokens num_oov_indices mask_token oov_token vocabulary idf_weights invert output_mode sparse "
        "pad_to_max_tokens encoding vocabulary_dtype",
    ),
    (
        "TextVectorization",
        "max_tokens standardize split ngrams output_mode output_sequence_length pad_to_max_tokens vocabulary "
        "idf_weights sparse ragged encoding",
    ),
    ("CategoryEncoding", "num_tokens output_mode sparse"),
    ("Hashing", "num_bins mask_value salt output_mode sparse"),
    ("HashedCrossing", "num_bins output_mode sparse"),
    (
        "STFTSpectrogram",
        "mode frame_length frame_step fft_length window periodic scaling padding expand_dims data_format",
    ),
    (
        "MelSpectrogram",
        "fft_length sequence_stride sequence_length window sampling_rate num_mel_bins min_freq max_freq "
        "power_to_db top_db mag_exp min_power ref_power",
    ),
    ("Discretization", "bin_boundaries num_bins epsilon output_mode sparse"),
)
SETTINGS: Mapping[str, frozenset[str]] = {
    name: frozenset(keys.split()) for names, keys in _ROWS for name in names.split()
}
# layers that took the order of axes from a global setting where their configuration says nothing
CHANNELS: frozenset[str] = frozenset(
    name for name, keys in SETTINGS.items() if "data_format" in keys and name != "UpSampling3D"
)
MERGES: frozenset[str] = frozenset(
    {
        *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"),
        *("Attention", "AdditiveAttention"),
    }
)
