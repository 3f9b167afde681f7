"""What all request bodies have in common."""

from datetime import UTC
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class Body(serializers.Serializer[Any]):
    """A request body in which nothing unknown is overlooked: a misspelt field is an error, not a silence."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown fields, then check the known ones."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({name: ["Not a field of this request."] for name in unknown})
        return super().to_internal_value(data)

    @classmethod
    def read(cls, data: Any) -> Any:
        """The checked data. Raises DRF's ``ValidationError``, which the API answers as 422."""
        body = cls(data=data)
        body.is_valid(raise_exception=True)
        return body.validated_data


class Text(serializers.CharField):
    """Text, and not a number that could be written as one."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse anything but text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Instant(serializers.DateTimeField):
    """A moment as RFC 3339 in UTC, ending in Z, whatever the zone of the installation."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


class BoundedList(serializers.ListField):
    """A list whose length is looked at before its items are."""

    default_error_messages: ClassVar[Any] = {"max_length": "There are more than {max_length} items."}

    def to_internal_value(self, data: Any) -> list[Any]:
        """Refuse a list that is too long, without checking a single item."""
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        items: list[Any] = super().to_internal_value(data)
        return items


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JSONObject(serializers.JSONField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        """Anything but an object is refused."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("This must be an object.")
        return super().to_internal_value(data)
