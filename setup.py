"""An editable installation, too, installs the data files, which are Jupyter's configuration."""

from setuptools import Distribution, setup


class WithData(Distribution):
    """setuptools asks a distribution whether it has headers, scripts and data, and knows the answer but for data."""

    def has_data(self) -> bool:
        """Whether there are data files."""
        return bool(self.data_files)


setup(distclass=WithData)
