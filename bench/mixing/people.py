"""Commands about users."""

from bench.mixing.picture import Makers, Person, Picture
from domain import commands
from domain.values import PlanTier


class People:
    """Asks for commands about users.

    Args:
        picture: what there is.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def makers(self) -> Makers:
        """Give what asks for each type."""
        return {
            "user.register.v1": self.register,
            "user.register-if-absent.v1": self._register_if_absent,
            "user.rename.v1": self._rename,
            "user.change-plan-tier.v1": self._change_plan_tier,
            "user.verify-email.v1": self._verify_email,
            "user.change-email.v1": self._change_email,
            "user.set-password-hash.v1": self._set_password_hash,
            "user.deactivate.v1": self._deactivate,
            "user.reactivate.v1": self._reactivate,
            "user.delete.v1": self._delete,
        }

    def settle(self) -> commands.Command:
        """Ask for a user whom no other command changes."""
        person = self._new_person()
        self._picture.settled.append(person)
        return commands.RegisterUser(user_id=person.id, email=person.email, name=self._picture.new_name("Agent"))

    def register(self) -> commands.Command:
        """Ask for a user whom others may change."""
        person = self._new_person()
        self._picture.people.append(person)
        return commands.RegisterUser(user_id=person.id, email=person.email, name=self._picture.new_name("Agent"))

    def _register_if_absent(self) -> commands.Command:
        """Ask, in every second case, for an e-mail that somebody has."""
        person = self._new_person()
        if self._picture.chance.random() < 0.5:
            person.email = self._picture.chance.choice(self._picture.settled).email
        else:
            self._picture.people.append(person)
        return commands.RegisterUserIfAbsent(user_id=person.id, email=person.email)

    def _rename(self) -> commands.Command | None:
        person = self._active()
        return None if person is None else commands.RenameUser(user_id=person.id, name=self._picture.new_name("Agent"))

    def _change_plan_tier(self) -> commands.Command | None:
        person = self._active()
        if person is None:
            return None
        person.tier = self._picture.other(tuple(PlanTier), person.tier)
        return commands.ChangePlanTier(user_id=person.id, plan_tier=person.tier)

    def _verify_email(self) -> commands.Command | None:
        person = self._picture.find(self._picture.people, lambda each: each.is_active and not each.is_verified)
        if person is None:
            return None
        person.is_verified = True
        return commands.VerifyEmail(user_id=person.id, email=person.email)

    def _change_email(self) -> commands.Command | None:
        person = self._active()
        if person is None:
            return None
        person.email, person.is_verified = f"{self._picture.new_id()}@example.org", False
        return commands.ChangeEmail(user_id=person.id, email=person.email)

    def _set_password_hash(self) -> commands.Command | None:
        person = self._active()
        return (
            None
            if person is None
            else commands.SetPasswordHash(user_id=person.id, password_hash=self._picture.new_id())
        )

    def _deactivate(self) -> commands.Command | None:
        person = self._active()
        if person is None:
            return None
        person.is_active = False
        return commands.DeactivateUser(user_id=person.id)

    def _reactivate(self) -> commands.Command | None:
        person = self._picture.find(self._picture.people, lambda each: not each.is_active)
        if person is None:
            return None
        person.is_active = True
        return commands.ReactivateUser(user_id=person.id)

    def _delete(self) -> commands.Command | None:
        person = self._active()
        if person is None:
            return None
        self._picture.people.remove(person)
        return commands.DeleteUser(user_id=person.id)

    def _active(self) -> Person | None:
        return self._picture.find(self._picture.people, lambda each: each.is_active)

    def _new_person(self) -> Person:
        user_id = self._picture.new_id()
        return Person(user_id, f"{user_id}@example.org")
