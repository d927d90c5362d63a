"""What the feature stages import at some time: imported once, in the server that forks them."""

from mmrec.torchvision_schemas import define_missing_operators

define_missing_operators()
import open_clip  # noqa: E402, F401
import sklearn.feature_extraction.text  # noqa: E402, F401

import mmrec.features.encode.embed  # noqa: E402
import mmrec.features.extractors.build  # noqa: E402
import mmrec.features.extractors.lazy  # noqa: E402
import mmrec.features.extractors.open_clip  # noqa: E402
import mmrec.features.extractors.open_clip_model  # noqa: E402
import mmrec.features.keywords.assign  # noqa: E402
import mmrec.features.keywords.build  # noqa: E402, F401
