from setuptools import find_packages, setup

setup(
    name="paddle-vit",
    version="0.1.0",
    description="Vision transformers to understand by writing them: ViT, DeiT and Swin in PaddlePaddle",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["paddle_vit", "paddle_vit.*"]),
    package_data={"paddle_vit": ["data/*", "data/photos/*", "exercises/*.yaml"]},
    # Paddle itself is an extra: AI Studio and GPU users have paddlepaddle-gpu, which the CPU wheel would overwrite.
    install_requires=[
        "numpy>=1.21,<2.4",  # from 2.4 on, float(t) of a one-element tensor fails in Paddle 2.6 and 3.3
        "matplotlib",
        "pillow>=9.1",  # image operations
        "PyYAML",
        "rich",
        "safetensors",
    ],
    extras_require={
        "cpu": ["paddlepaddle>=2.6.2"],
        "notebook": ["jupyterlab"],  # AI Studio has its own
        "test": ["pytest", "pytest-xdist", "ruff", "nbformat", "nbclient", "ipykernel"],
    },
    entry_points={"console_scripts": ["paddle-vit = paddle_vit.__main__:main"]},
)
