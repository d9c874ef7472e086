"""What can go wrong where a provider's file comes from, told apart by whether trying again can help."""

from mutoscope.core.errors import MutoscopeError


class SourceError(MutoscopeError):
    """The provider's file could not be read."""

    status, code, title = 502, "source_error", "The provider's file could not be fetched"


class SourceRefused(SourceError):
    """We do not fetch this, or the provider will never give it; trying again cannot help."""

    code = "source_refused"


class SourceGone(SourceRefused):
    """The provider has the file no more, or gives it to nobody."""

    code = "source_gone"


class SourceFailed(SourceError):
    """The transfer broke, took too long or was answered with a passing error; trying again may help."""

    code, retryable = "source_failed", True
