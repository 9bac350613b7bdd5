"""TensorBoard, Weights & Biases, trackio and whatever else `trl.report_to` names: checked before any work is done."""

from tinyreason.errors import ConfigError


def check_trackers(asked: str | list[str] | None) -> None:
    """Refuses a tracker in `trl.report_to` that is unknown or not installed. Errors: `ConfigError`."""
    names = [asked] if isinstance(asked, str) else asked
    if not names or names in (["none"], ["all"]):
        return

    from transformers.integrations import get_reporting_integration_callbacks

    for name in names:
        try:
            for callback in get_reporting_integration_callbacks([name]):
                callback()  # looks for its package
        except (RuntimeError, ImportError, ValueError) as error:
            reason = str(error).split(". ")[0].rstrip(".")
            is_missing = "installed" in reason
            way = f"type: pip install {name}" if is_missing else "leave trl.report_to out to use none"
            raise ConfigError(f"trl.report_to={name}: {reason}; {way}.") from None
