"""Build the images of the sample environments: `python examples/rayfine/example.py [BASE_IMAGE]`.

The base image is `rayproject/ray:latest` unless another is named, for example
`reconciler/ray-base:local`, which `scripts/ensure-base-image` makes.
"""

import sys
from pathlib import Path

from rayfine_env import build_image_from_env

ENVIRONMENTS = Path(__file__).parents[2] / "environments"


def main() -> None:
    """Build both; what has not changed is not built again."""
    base_image = sys.argv[1] if len(sys.argv) > 1 else "rayproject/ray:latest"
    for name in ("affine", "hello"):
        image_id = build_image_from_env(
            env_path=str(ENVIRONMENTS / name),
            image_tag=f"{name}:latest",
            base_image=base_image,
        )
        print(f"{name}:latest is {image_id}")


if __name__ == "__main__":
    main()
