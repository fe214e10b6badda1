"""What good pickles of torch and Paddle hold is read as torch and Paddle read it."""

import base64
import pickle
import zlib
from collections import OrderedDict

import numpy as np
import pytest
from pickle_code import (
    FALSE,
    NONE,
    TRUE,
    array,
    call,
    dtype,
    mapping,
    named,
    number,
    numbers,
    program,
    several,
    storage,
    tensor,
    text,
    torch_legacy,
    torch_zip,
)

from paddle_vit.models.pickles import Array, load_legacy_torch, load_paddle
from paddle_vit.models.weight_files import read_weight_file

# Written by torch 2.13.0:
#
#     base = torch.arange(12.0)
#     matrix = base.reshape(3, 4)
#     weights = collections.OrderedDict(
#         matrix=matrix, transposed=matrix.T, columns=matrix[:, 1:3], every_other=base[1::2], last=base[11],
#         parameter=torch.nn.Parameter(torch.tensor([0.5, -0.5])),
#         float64=torch.tensor([0.1], dtype=torch.float64), ..., bool=torch.tensor([True, False]),
#         empty=torch.empty(0, 3),
#         channels_last=torch.arange(8.0).reshape(1, 2, 2, 2).contiguous(memory_format=torch.channels_last),
#     )
#     weights._metadata = collections.OrderedDict({"": {"version": 1}})
#     content = {"state_dict": weights, "epoch": 3, "loss": np.float64(0.25), "best": np.float32(0.5),
#                "names": ("a", [None, True, 1 << 70, -1, 300, 70000]), "nested": {"a": {0: {"b": 1.5}}}}
#     torch.save(content, file, _use_new_zipfile_serialization=...)
#     base64.b64encode(zlib.compress(file.getvalue(), 9))
ZIP = """
eNqlmGtwG9UVx1eyIytKYsckEJKWEAgPBYKjl/UAJ3KUICALxt5AK0KJWElrr2C1q7N7FWKKqQtYSXiF9yu826ZpoUB5hrZApgWGGT4BMwzD8IEZhhn4
xBeGYcgHeh+yvPfaiVprk13Z0v5//3PPvXvOlYfljk5J8vulWcdS6QRJtYt6eZe2oaQita96vZHNdEs7uGPSOwFSMBfAAgepSMuXykUEnmLRMgytiMqW
6QQut0uarZW24k8C4F2nQEcw58OCiors8m7oLCIL+/Tla6hsOIG8rRVqZaOUR5rpWHZ+VyQAC4LBXBe1sGx1TAMfkwSyhqWi7ezNAHTlPPieEPhzHfi1
WK3BQnkxgsCILMkdcmcdFsmdsqcOi/fpJIolCLoV6KGxI1s1narlaCVYqmM33ad36X6d6nuJvlPuqMMJsodgljH9cgQnKnASDQwPt1YxHVghik8ewZoO
2VuHlcx8FRP/AsEvFTgltwiLtV2aPZ63kK7ZsFoEnEoAvilYI3un4DQmPh3BWgXOyOGZkwzVQXCmqDprRF60bh27+2wEQQXW5Rbiu6uqrVY0hI3OOUbW
m3cE4NxpKs1rGNZjthfBeSQfOJg+2TMFG5hHCEFYgche+kt0D8QU6KeJGSUzFI9BnLEa87bVqhUMrTlxCWoQgSQ28CBIEQPMPp9cLmAGAwg2KrBphhmO
Q5pjXqwao03iICVGYTMjZhrELeSylREvRJBV4KIcWfqFaeTFHDKTZW83sZdQbAy2MazcwF5KLpcx7BCCyxUYzi3AN5ZNMvQRjnmpZY41eQrl9cN2xruC
8sgquZK9/Ioxf40gp8BV08xoBHZwzEvMmYfgaoqMw28Y8ppGiDvJJc9w1yJQFShM4/Cwixxuu27ZM8ASBSZAY8DRBnCMXHQGLCO4ToHr6XrEwCQYHG+L
rtpNXIXikmAynNXAVckFGM5G4CiAaHw1yqvx0zKOZtbOLspLwQ2Mt7vBGyeXGxnvtwhuUmCChlewLANu5nH4rSbudzkvWeshmGSL/feNxX4L4d3KeLch
mFKgTuPTKlU0DnuaTwpVh2EvVksI9hG1RErH7bgI4Am9gxHuRHCXAnfnlpDSoaumqRlOnj7J+3lSBO7BJD+CezEpiBeFl/xDcF9Q9pNiRH6+nzEfQPCg
Ag/VJuBh+qjn8VOsksINj9DPH82Rqg6PTcAB+hThouPg8gyPyx7Hcdhq0KpWUYcn5A5WWizHgSeLZq1SHe/LFy1b66vUDFRWbVsdDzhF1VBxlXiK3RAo
ofEqTuDTNPDRJDyzb+8eeFaBPwQxjszRAPxxaGho28/4oBeSoD8Vihhc0opOQDPJDwE4SKNnx3/uScOfaa8wVFQ2w3CoDn9R4K91eE6B59mEajhrf9Of
0hvGMXiBGL+owEvYWJ9t+feCfpAq8ZGGl3WMfEWBV+vwmgKv0yyYuAA68AYNWoXD18CbwaG9tzejGqSoy9Z7tlV7PZJWh3/QCE0cCG4f/5yAf+mHJ+At
WZqAtymjAO9clP6RiXGqa33Dcpf/5/cfn+zH80DO4WM24RWSr9mE+0YtG7fMfGPishkv7sVhwnrjuy9uJUbkPDZrlZSYYTU6aV41ymNmRTNRNhMVWvv/
dMRjJID0DfAtyb73uAH0SulmAAX8DFtkX5DNXDAf3+nDKCNkaCSGqY1frSTz4DtuDN3SJm5XsyGUzZzfRgCMOpkm6wL/x+ckPp/G5xF8folPaTPeS+Fz
DT5Dm0mkuydGN4XITqVFpMv5SMPZzFJpDn/i/Q7hrt151ykE5G/BHeC5kWwmOe8MPPYoOd5ME/8Pth/8YR7+0Xb8R+nD1PvJoRdar79uKcM7x7KZTe0s
PnwcoSO/85sLB+bh39++PwV7iGuXf+drX5bmkf94O/k/iksh8T6kP1ElRbWzhfcg753IZgbaysBR6t753v0H5pH/ZPv5P0rsV75b+bF1/e2WtvD2qWwm
3ab9jp+I//7vr9vf2r9HHH441P74PXTlvb323zk+/9KcAWwWAsAlbWN7ARxvuMsEN1zoeqS56/cgq+GkbkuN2j1I6zcZ3cOHv/96Df5gTYv0rm36NVv0
qa1GFw0Qh4+eHLuy9fpdLUVmGjgdkqPZZdzBb1TJF+18uZTN9P2f6QzFU6FoLBVKpRLJaDgWiyb6Q6FYKhyOhOLxSDSUCKfi0UQkSqL88JwNB4I4jiCN
0kOCbcbp3s4snRW5+HcEUe3ewKzglFNd0rE2QCLEvQlZxUE+ckNm7XxEjnsj0ctxFL80ewMjyt3dvZuTf+qXhL2HqHV3cF47uVDQhkWtu/vy2s9EbUTU
uvsnryV/HeG7tah19z5e+7GojYlad8fitcoiQdsvat0dRxivqI2LWne/4LVXLBa0CVHrLvbCeEVtUtS6CzWvHVkiaFOi1l1je/jlLWrDzYU1dxnmEt0t
imetLHf948VHZolnLS13aePFoR5JLJii2F1xVnPi+1ziuWvhsOzzrZ+unB3nNZXLhNdnG98Fk42yhXXk67H0+XJpenOF31vgY5pl9H52738BldAblQ==
"""
LEGACY = """
eNp9lnl/1EQYx7NHD1JQ8MYT761ibXe3262iLYflCBQaPOKBazabksU02V8yixRdrUeXghfegqgoHoj3LYqC8kb813fg9fnoM5l0y5bA7M5sMpn5/p59
Zp5nMhHfJdv/7hv6a9GWgxsWdk3E1/2RoLYGKaXNlySp4rnMNVy7sNX0/LLrIEYDtHn0xC4zZpsF0ymVdQfxKU2mTjZeMQt+ebvpI1FDMqW1UKdvuR5D
ixLXEnRXdhhalaSW5AzX2Yw2JVmtTmtyiM90ZhZKZYMhZpC2bRqMpH15vVcyPbO0gp7IiHeqSKS0VpowpjOvvA1Jg7meYXUVqqxs+3LBM4vVsl0qMNPx
Xa+wNS2jJZXS2gIJ19M3m2gVU+Qh29XZRtEpo007g8b0Z3symUy6t7+vL9+bQ3tgvVGpYo4yd5hBHlEkJaEk6+hQkkqsjrk7LW7TPIYzVJwp3OHpjl9x
fbOE+RZpW61WJHuBJZhncWZSSdRxthLj6HME81yG81ScH5hODqmOOT4uOB1wYQi8cIQ4CSVex0XCyIsF8BKGS1VcpnXQVJOWdrzgMsv0sOh00MtD6BUc
2jqJK5X4JK4SwKsZrlFxrVhV3WdInY7UGZKuG1E6OjsF4XqGxSpu0ObwXad7+pjJyKCuU6xpY4SMG09WSmcz3f09mWwW3aQUJ6Ue7lkyN63EJpERilmG
XhW5qeCmbwfyKvoDF4/y3ZDL4iZBDvfICrdatM3GJrl5tlw2n8cSkouR3C1cjpRu5c2AkBtkWKpi2YxCTw7LmxRW6fZog79iFj+d687jtpA/FPJX8maV
4K9mWKNC0dppWnFaYG2TwLIh0d0QWdcs0tvbn+7GcCiyPhTZwJsRIaIybFRxexDXFMnkpDuaFNZSRDfod86i5wiPu0K6FtD5nrxb/NwjFO5luE/FpmmF
TBr3NymsdmYCtTBboC+TwwOhgB6aX+SNIeAlBlPF6DScHLS5Cb6Rp6oG3pqF7+sj+8shfkuIf5A3tsCPMTgq3CAKCJ9HpYm+3NK9Bhyz4PksOdML4X4I
Z7ypCvhWhodUbAtsrwb08ebFHWczu3N7c9jl87lsNx4O6Y+E9BpvHhX0xxgmVDwemF50XRtPNMOpqwF/cha8P9OTxlNhpE2GkVbn8B0CPsWwU8WuwHRz
rMLG8XR0euhP91DQPkMoiVDPcpTE0+FzlMRoizwvcLsZXlDxYnAMGZbuOKbtF4Ks89IpsBlyL14mbDthXyFsivZcnH8YXk0p7Tzb8uvXhMDrDHtU7K3W
8EaQjwqUavSSznTsC56/qVGnhLdqeDsI5+nDcb8S832/KP5nxTUsvKMkwpPO9/Gu4VTHKuNdBcP1zK6xqs3Kuufp47Jv6LZOqeyAGCCX+Dkq4z0tznNF
Hu/vnNqBD1R8mCJcjPqW4ODw8PCa/6gEjSIxfFQ0CFwyDV82HX4h41BgvSjHdw/g4+C4tHVWdnrwSR2fqvisjs9VfCHW3SQXfmkdsELhLL7iwl+r+IaE
rZMlvy1ah4KZVAbwnUXI71X8UMdhFT8GXnAoS/v4KTBax5FN+Dk1PLWrYdVggFq3OLamsiAmmXX8EljokCF0Zh6t4Zh1pIZfFamG3wJGEcdXDvwpJpOr
+XvDJv7eEJHGYlHZJx6VMRJRcZ6Mis+WqDOmNeokaItK3+1Rh+GcqFCVo0KsIypY5kZt9XlmVyx08bGBmHRCiQXfoPxDrp+5blzFZwYPUD06/WDvHl4O
N3CjXXNPBEsTfPQgfalOUN1P9RjV36lKSyVpPtVFVLuXThP+js8YFZb2ZuSgwHKUFOIGA+T/wLbj5A==
"""
BASE = np.arange(12, dtype="f4")
WEIGHTS = {
    "matrix": BASE.reshape(3, 4),
    "transposed": BASE.reshape(3, 4).T,
    "columns": BASE.reshape(3, 4)[:, 1:3],
    "every_other": BASE[1::2],
    "last": BASE[11],
    "parameter": np.array([0.5, -0.5], "f4"),
    "float64": np.array([0.1], "f8"),
    "float16": np.array([0.1], "f2"),
    "bfloat16": np.array([0x3FC0], "u2"),  # 1.5
    "int64": np.array([[1 << 40]], "i8"),
    "int32": np.array([-5], "i4"),
    "int16": np.array([-5], "i2"),
    "int8": np.array([-5], "i1"),
    "uint8": np.array([250], "u1"),
    "bool": np.array([True, False]),
    "empty": np.empty((0, 3), "f4"),
    "channels_last": np.arange(8, dtype="f4").reshape(1, 2, 2, 2),
}


def check(read, expected):
    """read: Array or Stored"""
    values = read.numpy() if isinstance(read, Array) else read.raw()
    assert values.dtype == expected.dtype and values.shape == expected.shape == read.shape
    assert np.array_equal(values, expected)


def read(content, path):
    (path / "weights").write_bytes(content)
    return read_weight_file(path / "weights")


@pytest.mark.parametrize("code, kind", [(ZIP, "torch's zip format"), (LEGACY, "torch's older format")])
def test_files_of_torch(code, kind, tmp_path):
    file = read(zlib.decompress(base64.b64decode(code)), tmp_path)
    assert file.kind == kind
    assert list(file.arrays) == list(WEIGHTS)
    for name, expected in WEIGHTS.items():
        check(file.arrays[name], expected)
    assert file.arrays["bfloat16"].dtype == "bfloat16" and file.arrays["bfloat16"].read() == 1.5
    assert {name for name, stored in file.arrays.items() if stored.dtype != stored.raw().dtype.name} == {"bfloat16"}


def test_what_else_there_is_in_a_file_of_torch():
    content = load_legacy_torch(memoryview(zlib.decompress(base64.b64decode(LEGACY))))
    assert content["epoch"] == 3 and content["nested"] == {"a": {0: {"b": 1.5}}}
    assert content["names"] == ("a", [None, True, 1 << 70, -1, 300, 70000])


@pytest.mark.parametrize("legacy", [False, True])
def test_names_of_older_versions(legacy, tmp_path):
    """_rebuild_tensor without _v2, tuples of two and three, a scalar in a storage of its own."""
    stored = storage("7", "FloatStorage", 3, *[NONE] * legacy)
    rebuild = named("torch._utils", "_rebuild_tensor")
    two = call(rebuild, stored, number(1), number(2) + pickle.TUPLE1, number(1) + pickle.TUPLE1)
    parameter = call(named("torch._utils", "_rebuild_parameter"), two, TRUE, call(named("collections", "OrderedDict")))
    scalar = tensor(stored, 2, [], [])
    code = program(mapping(two=two, parameter=parameter, scalar=scalar))
    file = read((torch_legacy if legacy else torch_zip)(code, {"7": np.array([5, 6, 7], "f4")}), tmp_path)
    check(file.arrays["two"], np.array([6, 7], "f4"))
    check(file.arrays["parameter"], np.array([6, 7], "f4"))
    check(file.arrays["scalar"], np.array(7, "f4"))


@pytest.mark.parametrize(
    "shape, strides", [([1, 3], [1 << 40, 1]), ([0, 3], [3, 1]), ([1, 1], [0, 0]), ([2, 2], [1, 1])]
)
def test_strides_that_do_not_matter(shape, strides, tmp_path):
    """Of one or no number, those of torch can be anything. Overlapping numbers are unusual, and read."""
    code = program(mapping(a=tensor(storage("0", "LongStorage", 4), 0, shape, strides)))
    expected = np.array([[0, 1], [1, 2]]) if shape == [2, 2] else np.arange(np.prod(shape)).reshape(shape)
    check(read(torch_zip(code, {"0": np.arange(4)}), tmp_path).arrays["a"], expected)


ARRAYS = {
    **{
        code: np.arange(-2, 4).astype(code).reshape(2, 3)
        for code in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?")
    },
    "Fortran order": np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)),
    "not in order": np.arange(24, dtype="f4").reshape(2, 3, 4).transpose(1, 2, 0)[:, ::2],
    "no dimension": np.array(2.5, "f4"),
    "no numbers": np.empty((0, 3), "f4"),
    "no numbers, Fortran order": np.empty((3, 0, 2), "f4", order="F"),
    "one number": np.ones((1, 1, 1), "f8"),
    "a large one": np.arange(100_000, dtype="f4"),
}


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_of_numpy(protocol, order):
    """As paddle.save pickles them; of the type and the bytes' order of this machine when they are read."""
    expected = {name: each.astype(each.dtype.newbyteorder("="), order="K") for name, each in ARRAYS.items()}
    stored = {name: each.astype(each.dtype.newbyteorder(order), order="K") for name, each in ARRAYS.items()}
    content = load_paddle(memoryview(pickle.dumps({"arrays": [stored], "again": stored["f4"]}, protocol)))
    for name, each in content["arrays"][0].items():
        check(each, expected[name])
        assert each.dtype == expected[name].dtype.name
    assert content["again"] is content["arrays"][0]["f4"]


@pytest.mark.parametrize("core", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_names_of_numpy_1_and_2(core):
    old, new = b"numpy.core.multiarray", core.encode()
    code = program(array(numbers([2]), dtype("f4"), np.array([1, 2], "f4").tobytes())).replace(old, new)
    check(load_paddle(memoryview(code)), np.array([1, 2], "f4"))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_things(protocol):
    content = {
        "nested": OrderedDict(a=[1, (2, 3.5), {"b": None}], c=True),
        "numbers": (0, 255, 256, 65535, 65536, -1, 1 << 31, -(1 << 70), 1 << 3000),
        "texts": ["", "é", "\N{PILE OF POO}", "x" * 300, "y" * 70_000],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "many": list(range(3000)),
        7: "a key that is a number",
    }
    content["again"] = content["nested"]
    read = load_paddle(memoryview(pickle.dumps(content, protocol)))
    assert read == content
    assert read["again"] is read["nested"] and isinstance(read["nested"], OrderedDict)


@pytest.mark.parametrize("protocol", [2, 4])
def test_scalars_of_numpy_do_no_harm(protocol, tmp_path):
    content = {"best": np.float64(0.5), "epoch": np.int64(3), "model": {"a": np.ones(2, "f4")}}
    check(read(pickle.dumps(content, protocol), tmp_path).arrays["a"], np.ones(2, "f4"))


@pytest.mark.parametrize("builtins", ["builtins", "__builtin__"])
def test_named_tensors_of_paddle(builtins, tmp_path):
    """In a nested dict a tensor is a tuple of its name and its array, made by a call."""
    pair = several(text("linear_0.w_0"), array(numbers([2]), dtype("f4"), np.array([1, 2], "f4").tobytes(), FALSE))
    code = program(mapping(model=mapping(a=call(named(builtins, "tuple"), pair)), epoch=number(3)))
    check(read(code, tmp_path).arrays["a"], np.array([1, 2], "f4"))


def test_a_recursive_tuple():
    """The only use of POP: a list in a tuple in the same list."""
    inner = []
    inner.append((inner, "a"))
    read = load_paddle(memoryview(pickle.dumps((inner, "a"), 4)))
    assert read[0][0][0] is read[0] and read[1] == "a"
    read = load_paddle(memoryview(pickle.dumps(inner[0], 4)))
    assert read[0][0] is read


def test_arrays_are_views_of_the_file():
    """A large one is not copied: its memory is that of the pickle."""
    content = pickle.dumps({"a": np.arange(100_000, dtype="f4")}, 4)
    buffer = np.frombuffer(content, "u1")
    read = load_paddle(memoryview(content))["a"].numpy()
    assert np.shares_memory(read, buffer) and not read.flags.writeable
