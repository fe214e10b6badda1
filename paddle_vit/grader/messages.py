"""What the grader says, in both languages. Braces are filled in by name."""

STATES = {
    "passed": {"zh": "通过", "en": "passed"},
    "wrong": {"zh": "不正确", "en": "wrong"},
    "error": {"zh": "出错", "en": "error"},
    "timeout": {"zh": "超时", "en": "timed out"},
    "not_started": {"zh": "未开始", "en": "not started"},
    "missing": {"zh": "缺失", "en": "missing"},
}

# What models/weight_files.py calls the kinds of files with weights
FILE_KINDS = {
    "safetensors": {"zh": "safetensors", "en": "safetensors"},
    "numpy's .npz": {"zh": "numpy 的 .npz", "en": "numpy's .npz"},
    "torch's zip format": {"zh": "torch 的 zip 格式", "en": "torch's zip format"},
    "torch's older format": {"zh": "torch 的旧格式", "en": "torch's older format"},
    "Paddle's pickle": {"zh": "Paddle 的 pickle", "en": "Paddle's pickle"},
}

MESSAGES = {
    # compare.py
    "raised": {
        "zh": "运行你的代码时出错：{type}{message}{where}",
        "en": "Your code raised {type}{message}{where}",
    },
    "parameters_renamed": {
        "zh": "参数的名称不对：缺少 {missing}，多出 {extra}。权重按名称复制，所以名称要与说明里的一致。",
        "en": "Parameter names differ: {missing} expected, {extra} found. Weights are copied by name, so use the names that the description gives.",
    },
    "parameters_missing": {
        "zh": "缺少参数 {names}。可能是没有创建，是普通张量而不是参数 (用 self.create_parameter)，放在了普通列表里而没有登记，或者同一个层用了几次。",
        "en": "Missing parameters: {names}. Not created, a plain tensor instead of a parameter (self.create_parameter), kept in a plain list where they are not registered, or one layer used several times?",
    },
    "parameters_extra": {
        "zh": "多出参数 {names}：这里不应有，或不应训练。",
        "en": "Parameters that should not be here, or not be trained: {names}.",
    },
    "parameter_shape": {
        "zh": "参数 {name} 的形状应为 {expected}，得到 {actual}。",
        "en": "Parameter {name} should have shape {expected}, yours has {actual}.",
    },
    "initial_values": {
        "zh": "参数 {name} 的初值不对：应为均值 {mean:.3g}、标准差 {std:.3g}，得到均值 {other_mean:.3g}、标准差 {other_std:.3g}。",
        "en": "Parameter {name} starts with other values: expected mean {mean:.3g} and standard deviation {std:.3g}, got {other_mean:.3g} and {other_std:.3g}.",
    },
    "attribute_missing": {
        "zh": "你的代码没有创建 self.{name}，或者名称写错了。",
        "en": "Your code does not create self.{name}, or not under this name.",
    },
    "raised_elsewhere": {
        "zh": "\n  (发生在参考答案的代码里，它使用了你的代码给出的东西)",
        "en": "\n  (in the reference's code, which works with what yours gave it)",
    },
    "only_in_training": {
        "zh": "线索：评估模式下全对，只有训练模式不对，所以问题在 dropout 或 drop path：缺了、放错了位置，或概率不对。",
        "en": "A clue: evaluation mode is right and only training mode is not, so it is dropout or drop path: missing, misplaced, or with another probability.",
    },
    "only_in_evaluation": {
        "zh": "线索：训练模式下全对，只有评估模式不对：dropout 在评估时应关闭。用 self.dropout(x)，或给 F.dropout 传入 training=self.training。",
        "en": "A clue: training mode is right and only evaluation mode is not: dropout must be off there. Use self.dropout(x), or give F.dropout training=self.training.",
    },
    "kind_none": {
        "zh": "应返回 {expected}，但什么也没有返回；是否忘了 return？",
        "en": "Should return {expected}, but nothing was returned; is a return missing?",
    },
    "kind": {"zh": "应返回 {expected}，得到 {actual}。", "en": "Should return {expected}, got {actual}."},
    "shape": {
        "zh": "{place}形状应为 {expected}，得到 {actual}。",
        "en": "{place}Expected shape {expected}, got {actual}.",
    },
    "dtype": {
        "zh": "{place}数据类型应为 {expected}，得到 {actual}。",
        "en": "{place}Expected dtype {expected}, got {actual}.",
    },
    "values": {
        "zh": "{place}形状正确，但数值不同：下标 {where} 处应为 {expected:.6g}，得到 {actual:.6g}；最大误差 {largest:.2g}，{share:.0%} 的数不同。",
        "en": "{place}The shape is right, the values are not: at {where} expected {expected:.6g}, got {actual:.6g}; largest difference {largest:.2g}, {share:.0%} of the numbers differ.",
    },
    "statistic": {
        "zh": "抽取很多次，{what}应约为 {expected:.3g}，得到 {actual:.3g}。",
        "en": "Over many draws, {what} should be about {expected:.3g}, got {actual:.3g}.",
    },
    "number": {
        "zh": "{place}应为 {expected}，得到 {actual}。",
        "en": "{place}Expected {expected}, got {actual}.",
    },
    "with_your_layers": {"zh": "用你创建的层做前向计算：", "en": "A forward pass with your layers: "},
    "not_finite": {
        "zh": "{place}下标 {where} 处的值是 {actual}。",
        "en": "{place}The value at {where} is {actual}.",
    },
    "gradient_missing": {
        "zh": "输出正确，但没有梯度传到 {name}。计算是否在半途离开了 Paddle (例如 .numpy()、detach 或重新 to_tensor)?",
        "en": "The output is right, but no gradient reaches {name}. Does the computation leave Paddle on the way (.numpy(), detach, a new to_tensor)?",
    },
    "gradient": {
        "zh": "输出正确，但 {name} 的梯度不对。",
        "en": "The output is right, but the gradient of {name} is not.",
    },
    "input_changed": {
        "zh": "第 {place} 个输入被原地修改了；请不要改动传入的张量。",
        "en": "Input {place} was changed in place; leave the tensors that you are given as they are.",
    },
    "place": {"zh": "第 {place} 个返回值：", "en": "Result {place}: "},
    "where": {"zh": "\n  {unit}，第 {line} 行：{text}", "en": "\n  {unit}, line {line}: {text}"},
    "case": {"zh": "测试条件：{case}，种子 {seed}", "en": "Checked with: {case}, seed {seed}"},
    "case_seed": {"zh": "测试条件：种子 {seed}", "en": "Checked with: seed {seed}"},
    "mode_train": {"zh": "训练模式", "en": "training mode"},
    "mode_eval": {"zh": "评估模式", "en": "evaluation mode"},
    # judge.py
    "mistake": {"zh": "你的结果与一种常见错误完全相同：{says}", "en": "Your result is that of a known mistake: {says}"},
    "mistake_raised": {"zh": "这是一种常见错误：{says}", "en": "This is a known mistake: {says}"},
    "property": {"zh": "线索：{says}", "en": "A clue: {says}"},
    "property_broken": {
        "zh": "所有数值比较都通过了，但有一条规则不成立：{says}",
        "en": "All values agree, but a rule does not hold: {says}",
    },
    "left_raise": {
        "zh": "第 {line} 行的 raise NotImplementedError 还在；删掉它。",
        "en": "The raise NotImplementedError is still there, in line {line}; delete it.",
    },
    "missing": {"zh": "没有找到 {target}{near}", "en": "{target} was not found{near}"},
    "near": {"zh": "，但有 {names}；名称是否写错了？", "en": ", but there is {names}; is the name misspelt?"},
    "unread": {
        "zh": "注意：{unit} 第 {line} 行附近，Python 读不懂 ({message})，这一段没有参加评分。",
        "en": "Note: Python cannot read {unit} near line {line} ({message}); this part was left out.",
    },
    "unreadable": {
        "zh": "Python 读不懂这里：{message}\n  {unit}，第 {line} 行：{text}",
        "en": "Python cannot read this: {message}\n  {unit}, line {line}: {text}",
    },
    "twice": {
        "zh": "{target} 在 {first} 和 {second} 里都写完了；请只留一个。",
        "en": "{target} is finished in both {first} and {second}; keep one of them.",
    },
    "signature": {
        "zh": "函数签名应为 {expected}，得到 {actual}。",
        "en": "The signature should be {expected}, yours is {actual}.",
    },
    "timeout": {
        "zh": "{seconds:g} 秒内没有结束；是不是有死循环，或者在等待输入？",
        "en": "It did not end within {seconds:g} s; is there an endless loop, or does it wait for input?",
    },
    "died": {
        "zh": "你的代码使评分子进程中途结束了 ({ending})。",
        "en": "Your code ended the process that it ran in ({ending}).",
    },
    "flooded": {"zh": "打印的内容太多 (超过 1 MB)。", "en": "It printed too much, more than 1 MB."},
    "oversized": {"zh": "返回的结果太大 (超过 64 MB)。", "en": "What it returned is too large, more than 64 MB."},
    "damaged": {
        "zh": "结果没有完整送达；你的代码是否写入了不属于它的文件描述符？",
        "en": "The result did not arrive whole; does your code write to a file descriptor that is not its own?",
    },
    "printed": {"zh": "你的代码打印了：{printed}", "en": "Your code printed: {printed}"},
    "judge_died": {
        "zh": "评分进程在这道练习上中途结束了；你的代码是否干扰了别的进程？",
        "en": "The grading process ended at this exercise; does your code disturb other processes?",
    },
    "changed": {
        "zh": "注意：{names} 不是练习，评分用的是参考答案里的，不是你改过的。",
        "en": "Note: {names} is not part of this exercise; the reference's is used for grading, not yours.",
    },
    # capstone
    "capstone_waits": {
        "zh": "全部练习通过之后，才用你的全部代码组装一个完整的模型。",
        "en": "Once every exercise is passed, a whole model is built from all of your code.",
    },
    "capstone_passed": {
        "zh": "由你的全部代码组成的模型，前向、反向与一步训练都正确。",
        "en": "The model made of all your code runs forward, backward and one training step as it should.",
    },
    "capstone_step": {
        "zh": "模型算得对，但训练一步之后损失不是有限的数，或有参数没有改变。",
        "en": "The model computes the right thing, but after one training step the loss is not finite or some parameter did not change.",
    },
    # report.py and the commands
    "grading": {"zh": "{title}：{source}", "en": "{title}: {source}"},
    "grading_now": {"zh": "评分中", "en": "Grading"},
    "capstone": {"zh": "完整模型：", "en": "The whole model: "},
    "score": {"zh": "得分 {score} / {points}", "en": "Score {score} / {points}"},
    "next": {
        "zh": "下一步：{target}。需要提示：paddle-vit hint {target}",
        "en": "Next: {target}. For a hint: paddle-vit hint {target}",
    },
    "done": {
        "zh": "全部通过。用你自己的代码训练：paddle-vit train {lesson}_digits --code {source}",
        "en": "All passed. Train your own code: paddle-vit train {lesson}_digits --code {source}",
    },
    "hint": {"zh": "{target} 提示 {number}/{total}：{hint}", "en": "{target}, hint {number} of {total}: {hint}"},
    "last_hint": {
        "zh": "这是最后一条提示。查看参考答案：paddle-vit solution {target} --reveal",
        "en": "That was the last hint. To see the reference: paddle-vit solution {target} --reveal",
    },
    "more_hints": {"zh": "再运行一次，看下一条提示。", "en": "Run it again for the next hint."},
    "all_finished": {"zh": "没有未通过的练习。", "en": "No exercise is left."},
    "reset_done": {
        "zh": "{target} 已恢复为待填代码 ({path})；原来的内容保存在 {backup}",
        "en": "{target} is a stub again ({path}); what was there is kept in {backup}",
    },
    "reset_missing": {
        "zh": "{path} 里没有 {target}，无法恢复",
        "en": "{path} has no {target} to reset",
    },
    "reset_unreadable": {
        "zh": "Python 读不懂 {path}，第 {line} 行附近：{message}。请先改正这一处语法错误",
        "en": "Python cannot read {path} near line {line}: {message}. Correct this syntax error first",
    },
    "solution_locked": {
        "zh": "{target} 通过之后才显示参考答案；现在就看：paddle-vit solution {target} --reveal",
        "en": "the reference of {target} is shown once it is passed; to see it now: paddle-vit solution {target} --reveal",
    },
    "solution_theirs": {"zh": "你的代码", "en": "Your code"},
    "solution_ours": {"zh": "参考答案", "en": "The reference"},
    "progress_unknown": {"zh": "改动后尚未评分", "en": "changed since it was graded"},
    "progress_score": {
        "zh": "{title}：{passed} / {total} 道练习通过，{score} / {points} 分",
        "en": "{title}: {passed} of {total} exercises passed, {score} of {points} points",
    },
    "built": {"zh": "已写入 {path}", "en": "wrote {path}"},
    "unchanged": {"zh": "没有变化 {path}", "en": "unchanged {path}"},
    "build_stopped": {
        "zh": "{path} 里已有写好的练习 ({names})，没有覆盖。要覆盖并保留备份：paddle-vit build --force",
        "en": "{path} holds finished exercises ({names}) and was not overwritten. To overwrite it and keep a backup: paddle-vit build --force",
    },
    "backup": {"zh": "原来的内容保存在 {backup}", "en": "what was there is kept in {backup}"},
    "watching": {
        "zh": "正在监视 {source}，保存后自动评分。  h 提示  n 下一题  l 列表  c 全部评分  r 恢复此题  q 退出",
        "en": "Watching {source}, graded whenever it is saved.  h hint  n next  l list  c check all  r reset  q quit",
    },
    "watch_bar": {"zh": "{passed}/{total} 通过", "en": "{passed}/{total} passed"},
    "reset_sure": {
        "zh": "再按一次 r，把 {target} 恢复为待填代码 (保留备份)",
        "en": "press r again to make {target} a stub again (a backup is kept)",
    },
    "no_isolation": {"zh": "无", "en": "none"},
    "no_fork": {
        "zh": "这里没有 fork：每次检查都要另起一个进程，会慢几秒，结果相同。",
        "en": "There is no fork here: each check starts a process of its own, some seconds slower, with the same result.",
    },
    "paddle_works": {"zh": "Paddle 工作正常，设备 {device}。", "en": "Paddle works, on {device}."},
    "paddle_wrong": {
        "zh": "Paddle 算错了一个 2x2 矩阵乘法 (设备 {device})；请重新安装。",
        "en": "Paddle gets a 2x2 matrix product wrong (on {device}); install it anew.",
    },
    "paddle_broken": {
        "zh": "Paddle 已安装，但无法导入：{error}",
        "en": "Paddle is installed but cannot be imported: {error}",
    },
    # notebook.py
    "cell": {"zh": "单元格 In [{number}]", "en": "cell In [{number}]"},
    "notebook_needs": {
        "zh": "还缺少一些软件包。在一个单元格里运行下面这一行，然后重新运行这个单元格：\n\n{command}",
        "en": "Some packages are missing. Run this line in a cell, then this cell again:\n\n{command}",
    },
    "notebook_ready": {
        "zh": "{title}，课程位于 {folder}，PaddlePaddle {paddle}。评分程序正在后台启动。",
        "en": "{title}, from {folder}, with PaddlePaddle {paddle}. The grader is starting in the background.",
    },
    "notebook_use": {
        "zh": '写好一道练习，运行它所在的单元格，然后检查：check("{target}")。需要提示：hint("{target}")。',
        "en": 'Write an exercise, run its cell, then check it: check("{target}"). For a hint: hint("{target}").',
    },
    "notebook_quotes": {
        "zh": '练习要写在引号里，例如 check("1.10")；得到 {target!r}',
        "en": 'Put the exercise in quotes, as in check("1.10"); got {target!r}',
    },
    "notebook_hint": {"zh": '需要提示：hint("{target}")', "en": 'For a hint: hint("{target}")'},
    "notebook_more_hints": {"zh": '下一条：再运行 hint("{target}")', "en": 'The next one: hint("{target}") again'},
    "notebook_last_hint": {
        "zh": '这是最后一条提示。查看参考答案：solution("{target}", reveal=True)',
        "en": 'That was the last hint. To see the reference: solution("{target}", reveal=True)',
    },
    "notebook_locked": {
        "zh": '{target} 通过之后才显示参考答案；现在就看：solution("{target}", reveal=True)',
        "en": 'The reference of {target} is shown once it is passed; to see it now: solution("{target}", reveal=True)',
    },
    "notebook_missing": {"zh": "先运行定义它的单元格，再检查。", "en": "Run the cell that defines it first."},
    "notebook_not_started": {"zh": "先填写 TODO 并运行那个单元格。", "en": "Fill in the TODO and run its cell first."},
    "notebook_all_passed": {
        "zh": '{total} 道练习全部通过！接下来运行 check("all")，把全部代码组装成完整的模型。',
        "en": 'All {total} exercises passed. To build the whole model from your code: check("all")',
    },
    "notebook_stopped": {
        "zh": "检查已中断，评分程序正在重新启动；可以继续检查。",
        "en": "The check was stopped and the grader is starting anew; you can go on checking.",
    },
    "notebook_broken": {"zh": "评分程序无法运行：{reason}", "en": "The grader does not run: {reason}"},
    "notebook_epoch": {
        "zh": "第 {epoch}/{epochs} 轮  损失 {loss:.3f}  训练准确率 {train:.1%}  测试准确率 {test}  还剩 {left:.0f} 秒",
        "en": "epoch {epoch}/{epochs}  loss {loss:.3f}  train {train:.1%}  test {test}  {left:.0f} s left",
    },
    "published": {
        "zh": "{file} ({kind})：{count:,} 个参数已载入你的模型。",
        "en": "{file} ({kind}): {count:,} parameters are now in your model.",
    },
    "published_none": {
        "zh": "没有 {path} 这个文件。这一节可以先跳过，后面的单元格什么也不会画。需要的话，到 https://huggingface.co "
        "下载 timm 或 transformers 的权重 (model.safetensors)，或者使用 PaddleClas 的 .pdparams (见 "
        "https://github.com/PaddlePaddle/PaddleClas ，AI Studio 的数据集里也有)，再改成它的路径。",
        "en": "There is no file {path}. You can skip this section: without the file its cells draw nothing. Weights of "
        "timm and transformers (model.safetensors) are found at https://huggingface.co, PaddleClas' .pdparams at "
        "https://github.com/PaddlePaddle/PaddleClas and among the data sets of AI Studio; give the path of yours.",
    },
    "published_refused": {
        "zh": "什么也没有载入，模型和原来一样。{reason}",
        "en": "Nothing was loaded, the model is as it was. {reason}",
    },
    # tour
    "tour_1": {"zh": "1. 环境", "en": "1. The environment"},
    "tour_2": {"zh": "2. 还没动过的待填代码", "en": "2. The untouched stub, graded"},
    "tour_3": {
        "zh": "3. 一份有典型错误的作业：反馈是这样的",
        "en": "3. A hand-in with a typical mistake: what the feedback looks like",
    },
    "tour_faulty": {
        "zh": "在 {target} 里写着：\n  {line}\n其余与参考答案相同。评分说：",
        "en": "In {target} it says:\n  {line}\nThe rest is as in the reference. The grader says:",
    },
    "tour_4": {"zh": "4. 参考答案", "en": "4. The reference, graded"},
    "tour_5": {"zh": "5. 用手写数字训练一个 ViT", "en": "5. A ViT trains on handwritten digits"},
    "tour_6": {"zh": "6. 图片", "en": "6. Pictures"},
    "tour_7": {"zh": "7. 轮到你了", "en": "7. Your turn"},
    "tour_accuracy": {"zh": "测试准确率 {accuracy}", "en": "Test accuracy {accuracy}"},
    "tour_next": {
        "zh": "打开 lessons/vit/vit.py，填写第一个 TODO，然后运行 paddle-vit grade vit。\n"
        "边写边看：paddle-vit watch vit。需需要提示：paddle-vit hint vit。",
        "en": "Open lessons/vit/vit.py, fill in the first TODO, then run paddle-vit grade vit.\n"
        "To see it while you write: paddle-vit watch vit. For a hint: paddle-vit hint vit.",
    },
    "tour_time": {"zh": "用时 {seconds:.0f} 秒", "en": "This took {seconds:.0f} s"},
    # collect.py
    "did_you_mean_only": {
        "zh": "没有这个文件：{path}。只评一道练习：paddle-vit grade {lesson} --only {path}",
        "en": "no such file: {path}. To grade one exercise: paddle-vit grade {lesson} --only {path}",
    },
    "no_exercise": {
        "zh": "{lesson} 这一课没有练习 {target!r}{near}",
        "en": "lesson {lesson} has no exercise {target!r}{near}",
    },
    "no_exercise_near": {"zh": "；是不是 {names}？", "en": ": did you mean {names}?"},
    "no_exercise_list": {
        "zh": "；全部练习：{names}",
        "en": "; there are {names}",
    },
    "reset_untouched": {"zh": "{target} 还没有动过", "en": "{target} is untouched"},
    "trained": {
        "zh": "测试准确率 {accuracy}；指标、权重和学习曲线在 {out}",
        "en": "test accuracy {accuracy}; metrics, weights and learning curve are in {out}",
    },
    # commands/evaluating.py
    "eval_accuracy": {
        "zh": "{name}：{data} 的 {count:,} 张测试图像，top-1 准确率 {top1:.2%}",
        "en": "{name}: {count:,} test images of {data}, top-1 accuracy {top1:.2%}",
    },
    "eval_top5": {"zh": "，top-5 准确率 {top5:.2%}", "en": ", top-5 accuracy {top5:.2%}"},
    "eval_class": {
        "zh": "  {accuracy}  类别 {name} ({right}/{count})",
        "en": "  {accuracy}  class {name} ({right} of {count})",
    },
    "cost_parameters": {"zh": "参数：{parameters:,}", "en": "parameters: {parameters:,}"},
    "cost_flops": {
        "zh": "一张图像前向计算：{flops:.4g} GFLOP，一次乘加算两次运算 (论文常算一次：{half:.4g} G)",
        "en": "forward pass of one image: {flops:.4g} GFLOP, a multiply-add counted as two (papers often count one: {half:.4g} G)",
    },
    "cost_device": {
        "zh": "设备 {device}，PaddlePaddle {paddle}，OMP_NUM_THREADS={threads}",
        "en": "on {device}, PaddlePaddle {paddle}, OMP_NUM_THREADS={threads}",
    },
    "cost_rate": {
        "zh": "批大小 {size}：每秒 {rate:,.1f} 张图像",
        "en": "batch size {size}: {rate:,.1f} images/s",
    },
    "cost_latency": {
        "zh": "一张图像：中位数 {median:.2f} 毫秒，95% 不超过 {most:.2f} 毫秒 (共 {passes} 次)",
        "en": "one image: {median:.2f} ms, the median of {passes}; 95 % within {most:.2f} ms",
    },
    "cost_memory": {
        "zh": "内存最高 {mebibytes:,.0f} MiB (整个进程，包括 PaddlePaddle)",
        "en": "highest memory: {mebibytes:,.0f} MiB, of the whole process with PaddlePaddle",
    },
    "cost_gpu_memory": {"zh": "显存最高 {mebibytes:,.0f} MiB", "en": "highest GPU memory: {mebibytes:,.0f} MiB"},
    "predicted_class": {"zh": "类别 {number}", "en": "class {number}"},
    "exported": {
        "zh": "已写入 {folder}：{files}。输入 {shape}；paddle.inference 读回后与模型最多相差最大 logit 的 {difference:.1e}",
        "en": "written to {folder}: {files}. Input {shape}; read back by paddle.inference, it differs from the model by at "
        "most {difference:.1e} of the largest logit",
    },
    "weights_of_run": {
        "zh": "模型是按运行目录里的 config.yaml 建立的；如果训练的是你自己的代码，请加上 --code PATH。",
        "en": "The model is built by the config.yaml of the run; if it was your own code that was trained, add --code PATH.",
    },
    "exported_own": {
        "zh": "这次训练用的是你自己的代码；导出的是本包的模型，权重是你的。两者结果是否相同：分别用 paddle-vit eval {source} "
        "和 paddle-vit eval {source} --code PATH 比较。",
        "en": "This run trained your own code; what was exported is the package's model with your weights. To see whether both "
        "answer alike, compare paddle-vit eval {source} with paddle-vit eval {source} --code PATH.",
    },
    "weights_loaded": {
        "zh": "{model}：{parameters} 个参数，来自 {file} ({kind})，{classes}",
        "en": "{model}: {parameters} parameters from {file} ({kind}), {classes}",
    },
    "weights_classes": {"zh": "{count} 个类别", "en": "{count} classes"},
    "weights_no_head": {"zh": "文件里没有分类头，模型也没有", "en": "without a head, since the file has none"},
    "weights_out_suffix": {
        "zh": "--out 写的是 safetensors 格式：请让 {out} 以 .safetensors 结尾",
        "en": "--out writes safetensors: let {out} end in .safetensors",
    },
    "weights_out_folder": {"zh": "没有文件夹 {folder}", "en": "there is no folder {folder}"},
    "weights_out_is_folder": {"zh": "{out} 是文件夹：请写出文件名", "en": "{out} is a folder: name a file"},
    "weights_out_same": {
        "zh": "--out 与输入是同一个文件，会把它覆盖掉：请换一个名称",
        "en": "--out is the file that is read, and would replace it: choose another name",
    },
    "weights_resized": {"zh": "已插值到新的分辨率：{names}", "en": "resized to another resolution: {names}"},
    "weights_fresh": {"zh": "没有载入，保持原值：{names}", "en": "left as they were: {names}"},
    "weights_unused": {"zh": "文件中未使用：{names}", "en": "not used of the file: {names}"},
    "weights_labels": {"zh": "类别名称：{names}", "en": "classes: {names}"},
    "weights_written": {"zh": "已写入 {out}", "en": "written: {out}"},
    "just_passed": {"zh": "通过了：{target}", "en": "Passed: {target}"},
    "no_such_file": {"zh": "没有这个文件：{path}", "en": "no such file: {path}"},
    "not_python": {
        "zh": "{path} 不是 .py 文件，也不是 .ipynb 笔记本",
        "en": "{path} is neither a .py file nor an .ipynb notebook",
    },
    "empty_folder": {
        "zh": "目录 {path} 里没有 .py 文件或 .ipynb 笔记本",
        "en": "no .py file and no .ipynb notebook in the folder {path}",
    },
    "unreadable_file": {"zh": "无法读取 {path}：{reason}", "en": "cannot read {path}: {reason}"},
    "not_utf8": {
        "zh": "{path} 不是 UTF-8 文本 (第 {position} 个字节)；请另存为 UTF-8",
        "en": "{path} is not UTF-8 text (byte {position}); save it as UTF-8",
    },
    "not_json": {
        "zh": "{path} 不是笔记本：第 {line} 行不是合法的 JSON",
        "en": "{path} is not a notebook: line {line} is not JSON",
    },
    "not_notebook": {"zh": "{path} 是 JSON，但不是 Jupyter 笔记本", "en": "{path} is JSON, but not a Jupyter notebook"},
    "no_code": {"zh": "{path} 里没有代码", "en": "there is no code in {path}"},
    "no_hand_in": {
        "zh": "{path} 里没有本课的任何练习",
        "en": "{path} holds none of the exercises of this lesson",
    },
    "no_lesson_files": {
        "zh": "找不到 lessons/{lesson}：请在项目目录里运行，或给出文件的路径",
        "en": "lessons/{lesson} was not found: run this inside the project, or give the path of a file",
    },
    "unfinished": {
        "zh": "还没有写完：{names}。先完成它们，或不带 --code 训练参考模型",
        "en": "not finished yet: {names}. Complete them first, or train the reference model without --code",
    },
}


def say(key, language, **values):
    """The message of this key in a language, filled in."""
    return MESSAGES[key][language].format(**values)
