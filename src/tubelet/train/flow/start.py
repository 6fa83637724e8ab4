"""Starting a flow from one that was trained with fewer blocks."""

from collections.abc import Mapping

from torch import Tensor

from tubelet.models.flow.model import FlowModel

_BLOCKS = "refiner.network.blocks."


def deepened(model: FlowModel, trained: Mapping[str, Tensor]) -> FlowModel:
    """Give a new model the weights of one with as many blocks or fewer; what it has more of adds nothing yet.

    The last convolution of a block starts at zero, so both models refine alike until the new one is trained.

    Args:
        model: as `FlowConfig.build` made it.
        trained: the weights of the other, by their names.
    """
    deeper = {name for name in model.state_dict() if name.startswith(_BLOCKS)} - trained.keys()
    model.load_state_dict(dict(trained) | {name: model.state_dict()[name] for name in deeper})
    return model
