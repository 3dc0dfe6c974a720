"""``surgnav serve``: one case streamed to headsets."""
