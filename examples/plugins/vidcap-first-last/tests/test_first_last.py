"""FirstLast does what every sampler has to do."""

from first_last import FirstLast

from vidcap_core.testing import SamplerTests


class TestFirstLast(SamplerTests):
    """Half a second away from the ends."""

    sampler = FirstLast(inset_s=0.5)
