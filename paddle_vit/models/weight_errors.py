"""What is said when weights cannot be loaded, in English and Chinese."""

import re


class Unusable(ValueError):
    """A file is of another kind than files of weights; the message says of which."""


class WeightsError(ValueError):
    """A file cannot be read as weights, or does not fit a model: what was expected, what came, what to do.

    As text it is English; text("zh") is Chinese, but for technical details.
    """

    def __init__(self, *parts):
        """parts: (key of TEXTS, dict of values) each, a line or more."""
        self.parts = parts
        super().__init__(self.text("en"))

    def text(self, language):
        """The message in a language, "en" or "zh"."""
        lines = [
            TEXTS[key][language].format(**{name: _in(value, language) for name, value in values.items()})
            for key, values in self.parts
        ]
        return re.sub(" (?=[，。：；])", "", "\n  ".join(lines))  # no blank before Chinese punctuation


def _in(value, language):
    """A value of a message: a list as lines, a text that begins with @ as the one of that key."""
    if isinstance(value, list):
        return "".join(f"\n    {_in(one, language)}" for one in value)
    if isinstance(value, str) and value.startswith("@") and value[1:] in TEXTS:
        return TEXTS[value[1:]][language]
    return value


TEXTS = {
    # the file
    "empty": {
        "en": "{path} is empty (0 bytes): copy or download it again",
        "zh": "{path} 是空的 (0 字节)：请重新复制或下载",
    },
    "folder": {
        "en": "{path} is a folder: name the file in it, such as {example}",
        "zh": "{path} 是文件夹：请写出其中的文件，例如 {example}",
    },
    "unreadable": {"en": "{path} cannot be read: {reason}", "zh": "无法读取 {path}：{reason}"},
    "damaged": {
        "en": "{path} is damaged or incomplete ({size:,} bytes): {reason}. If it was downloaded, the download probably broke "
        "off: download it again",
        "zh": "{path} 已损坏或不完整 (共 {size:,} 字节)：{reason}。如果是下载的文件，很可能下载中断了，请重新下载",
    },
    "unusable": {
        "en": "{path} holds no weights that can be used here: {reason}",
        "zh": "{path} 里没有这里能用的权重：{reason}",
    },
    "refused": {
        "en": "{path} is refused, and nothing in it was executed: {reason}",
        "zh": "拒绝读取 {path}，其中的任何代码都没有执行：{reason}",
    },
    "training_state": {
        "en": "It is the checkpoint of a training run, which holds settings too: save the state_dict of the model alone, there "
        "where the file was made.",
        "zh": "这是训练过程的检查点，里面还存了训练设置：请在生成它的地方只保存模型的 state_dict。",
    },
    "command": {
        "en": "Files of weights have no use for that. Do not open this file with anything else.",
        "zh": "权重文件用不着这些。请不要再用别的程序打开这个文件。",
    },
    "lfs": {
        "en": "this is the pointer that git keeps of a large file, not the file: run git lfs pull, or download it",
        "zh": "这只是 git 里大文件的指针，不是文件本身：请运行 git lfs pull，或另行下载",
    },
    "web_page": {
        "en": "this is a web page: the download brought a page in the place of the file",
        "zh": "这是一个网页：下载到的是页面，不是文件",
    },
    "hdf5": {
        "en": "this is an HDF5 file, as Keras writes; take the weights of the same model for PyTorch or Paddle",
        "zh": "这是 Keras 写的 HDF5 文件；请换成同一模型的 PyTorch 或 Paddle 权重",
    },
    "archive": {"en": "this is an archive: unpack it first", "zh": "这是压缩包：请先解压"},
    "json": {
        "en": "this is a text file (JSON), such as an index or a configuration; the weights stand in another file",
        "zh": "这是文本文件 (JSON)，例如索引或配置；权重在另一个文件里",
    },
    # the model
    "other_family": {
        "en": "{path} holds weights of {theirs}, but the model is {ours}: {advice}",
        "zh": "{path} 是{theirs}的权重，而模型是{ours}：{advice}",
    },
    "family_vit": {"en": "a ViT or DeiT", "zh": " ViT 或 DeiT "},
    "family_swin": {"en": "a Swin", "zh": " Swin "},
    "family_none": {"en": "neither ViT, DeiT nor Swin", "zh": "其他模型"},
    "take_vit": {"en": "take a model vit_* or deit_*", "zh": "请用 vit_* 或 deit_* 模型"},
    "take_swin": {"en": "take a model swin_*", "zh": "请用 swin_* 模型"},
    "no_fit": {"en": "{path} does not fit the model.", "zh": "{path} 与模型不符。"},
    "missing": {
        "en": "missing in the file (names of the model):{names}",
        "zh": "文件中缺少 (模型里的名称)：{names}",
    },
    "left_over": {"en": "left over (names in the file):{names}", "zh": "文件中多余 (文件里的名称)：{names}"},
    "shapes": {
        "en": "of another shape (in the file, in the model):{names}",
        "zh": "形状不同 (文件中，模型中)：{names}",
    },
    "not_finite": {
        "en": "{path} has NaN or infinite numbers: its training diverged, or it is damaged. Take another file.{names}",
        "zh": "{path} 中有 NaN 或无穷大：可能训练发散了，也可能文件已损坏，请换一个文件。{names}",
    },
    "twice": {
        "en": "{path} has two arrays for {name}: {one} and {other}",
        "zh": "{path} 中有两个数组都对应 {name}：{one} 和 {other}",
    },
    "two_layouts": {
        "en": "{path} mixes two layouts: some matrices are [in, out], others [out, in]",
        "zh": "{path} 混用了两种排列：有的矩阵是 [in, out]，有的是 [out, in]",
    },
    # what it may be
    "width": {
        "en": "Its tokens have {theirs} channels, the model's {ours}: choose the model of that size.",
        "zh": "文件里每个 token 有 {theirs} 个通道，模型是 {ours} 个：请选用这个大小的模型。",
    },
    "depth": {
        "en": "It has {theirs} layers, the model {ours}.",
        "zh": "文件里有 {theirs} 层，模型有 {ours} 层。",
    },
    "patch": {
        "en": "Its patches have {theirs} pixels, the model's {ours}: choose a model with the same patches.",
        "zh": "文件里的图像块是 {theirs} 像素，模型是 {ours} 像素：请选用图像块大小相同的模型。",
    },
    "image_channels": {
        "en": "It is for images of {theirs} channels, the model for {ours}: set in_channels={theirs}.",
        "zh": "文件对应 {theirs} 通道的图像，模型是 {ours} 通道：请设 in_channels={theirs}。",
    },
    "no_head": {
        "en": "The file has no head. To keep the model's own, fresh one: allow='head.*', on the command line --allow 'head.*'.",
        "zh": "文件里没有分类头。如果要保留模型自己的、还没训练的分类头：allow='head.*'，命令行用 --allow 'head.*'。",
    },
    "not_distilled": {
        "en": "The file has no distillation token: take the model without distilled in its name.",
        "zh": "文件里没有蒸馏 token：请用名称里没有 distilled 的模型。",
    },
    "distilled": {
        "en": "The file is of a distilled DeiT: take a model with distilled in its name.",
        "zh": "这是带蒸馏 token 的 DeiT：请用名称里有 distilled 的模型。",
    },
    "hidden_layer": {
        "en": "The file's head has the hidden layer of pre-training. To use all of it: create_model(..., "
        "representation_size={size}). To fine-tune: another num_classes than the file's leaves the whole head fresh.",
        "zh": "文件的分类头里有预训练用的隐藏层。要完整使用：create_model(..., representation_size={size})。"
        "要微调：num_classes 与文件不同时，整个分类头都保留模型自己的初值。",
    },
    "relu_head": {
        "en": "The hidden layer in the file's head has another activation than tanh, which none of these models has.",
        "zh": "文件分类头里的隐藏层用的不是 tanh，这里的模型都没有这种结构。",
    },
    "computed_positions": {
        "en": "A model whose positions are computed and not learned has none in its file; ours are another table.",
        "zh": "位置编码是算出来、不是学出来的模型，文件里没有位置编码；这里的表与它不同。",
    },
    "fc_norm": {
        "en": "The file's model normalises after the mean over the tokens, which none of these models does.",
        "zh": "文件里的模型先对 token 取平均再做归一化，这里的模型都不是这样。",
    },
    "layer_scale": {
        "en": "The file's model scales its branches (CaiT, DeiT III, BEiT), which none of these models does.",
        "zh": "文件里的模型对每个分支做缩放 (CaiT、DeiT III、BEiT)，这里的模型都不是这样。",
    },
    "swin_v2": {"en": "The file is of Swin V2, another model.", "zh": "这是 Swin V2 的权重，是另一种模型。"},
    "incomplete": {
        "en": "The file is not complete, or belongs to another model.",
        "zh": "文件不完整，或者属于另一种模型。",
    },
    "allow": {
        "en": "If you know that they are not needed, name them: allow=['PATTERN', ...], on the command line --allow PATTERN.",
        "zh": "如果确定用不到它们，请写出名称：allow=['PATTERN', ...]，命令行用 --allow PATTERN。",
    },
}
