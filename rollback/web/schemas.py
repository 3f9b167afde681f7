"""What all request bodies have in common."""

from typing import Any

from rest_framework import serializers


class Body(serializers.Serializer[Any]):
    """A request body in which nothing unknown is overlooked: a misspelt field is an error, not a silence."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse unknown fields, then check the known ones."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(dict.fromkeys(unknown, ["This field is not known here."]))
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


class JSONObject(serializers.JSONField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        """Anything but an object is refused."""
        if not isinstance(data, dict):
            raise serializers.ValidationError("This must be an object.")
        return super().to_internal_value(data)
