"""Quantised operators of ONNX, written as the same operators on floats between QuantizeLinear and
DequantizeLinear.
"""
