"""Encoder and decoder by the name of their architecture."""

from mvae.nets.conv import ConvDecoder, ConvEncoder
from mvae.nets.mlp import MLPDecoder, MLPEncoder

NETS = ("mlp", "conv", "circular_conv")


def build_nets(
    net: str,
    encoder_widths: tuple[int, ...],
    decoder_widths: tuple[int, ...],
    event_shape: tuple[int, ...],
    *,
    ambient_dim: int,
    initial_log_time: float,
    num_times: int = 1,
    even: bool = False,
    zero_output: bool = True,
) -> tuple[MLPEncoder | ConvEncoder, MLPDecoder | ConvDecoder]:
    """Returns encoder and decoder; arguments are those of the networks.

    Args:
        net: One of `NETS`.
        encoder_widths: Widths, for convolutions channels, of the encoder.
        decoder_widths: Those of the decoder, from the latent space on.
        event_shape: Shape of an example; (height, width, channels) for convolutions.
        ambient_dim: Dimension of the space the points lie in.
        initial_log_time: Log time at initialisation.
        num_times: How many log times the encoder has.
        even: Whether the decoder is even.
        zero_output: Whether all that is decoded is zero at initialisation.

    Raises:
        ValueError: For another name.
    """
    if net not in NETS:
        raise ValueError(f"net must be one of {', '.join(NETS)}, got {net!r}")
    if net == "mlp":
        encoder = MLPEncoder(encoder_widths, ambient_dim, initial_log_time, num_times)
        return encoder, MLPDecoder(decoder_widths, event_shape, even, zero_output)
    padding = "CIRCULAR" if net == "circular_conv" else "SAME"
    encoder = ConvEncoder(encoder_widths, ambient_dim, initial_log_time, num_times, padding)
    return encoder, ConvDecoder(decoder_widths, event_shape, even, padding, zero_output)
