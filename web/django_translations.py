"""Texts of Django that read badly in its own Traditional Chinese.

They are listed so that `makemessages` puts them into our catalogue, which has better translations.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _
from django.utils.translation import ngettext_lazy

TEXTS = [
    _(" By %(filter_title)s "),
    _("%(app)s administration"),
    _("%(full_result_count)s total"),
    _("%(model_name)s with this %(field_label)s already exists."),
    _("%(model_name)s with this %(field_labels)s already exists."),
    _("%(name)s with ID “%(key)s” doesn’t exist. Perhaps it was deleted?"),
    _("0 of %(cnt)s selected"),
    _("A user with that username already exists."),
    _("Action"),
    _("Action:"),
    _("Add %(name)s"),
    _("Add %s"),
    _("Add another %(model)s"),
    _("Add another %(verbose_name)s"),
    _("Added {name} “{object}”."),
    _("Added “%(object)s”."),
    _("Added:"),
    _(
        'Are you sure you want to delete the %(object_name)s "%(escaped_object)s"? All of the following '
        "related items will be deleted:"
    ),
    _(
        "Are you sure you want to delete the selected %(objects_name)s? All of the following objects and "
        "their related items will be deleted:"
    ),
    _("Cannot delete %(name)s"),
    _("Change %s"),
    _("Change history: %s"),
    _("Change my password"),
    _("Change selected %(model)s"),
    _("Change:"),
    _("Changed {fields} for {name} “{object}”."),
    _("Changed {fields}."),
    _("Changed “%(object)s” — %(changes)s"),
    _("Click here to select the objects across all pages"),
    _("Currently:"),
    _("Date:"),
    _("Delete multiple objects"),
    _("Delete selected %(model)s"),
    _("Delete selected %(verbose_name_plural)s"),
    _("Delete?"),
    _("Deleted {name} “{object}”."),
    _("Deleted “%(object)s.”"),
    _("Deleted:"),
    _(
        "Deleting %(class_name)s %(instance)s would require deleting the following protected related "
        "objects: %(related_objects)s"
    ),
    _(
        "Deleting the %(object_name)s '%(escaped_object)s' would require deleting the following protected "
        "related objects:"
    ),
    _(
        "Deleting the %(object_name)s '%(escaped_object)s' would result in deleting related objects, but "
        "your account doesn't have permission to delete the following types of objects:"
    ),
    _("Deleting the selected %(objects_name)s would require deleting the following protected related objects:"),
    _(
        "Deleting the selected %(objects_name)s would result in deleting related objects, but your account "
        "doesn't have permission to delete the following types of objects:"
    ),
    _("Deletion"),
    _("Email"),
    _("Email address:"),
    _("Empty"),
    _("Ensure this value is greater than or equal to %(limit_value)s."),
    _("Ensure this value is less than or equal to %(limit_value)s."),
    _("Enter a number."),
    _("Enter a valid JSON."),
    _("Enter a valid date."),
    _("Enter a valid date/time."),
    _("Enter a valid domain name."),
    _("Enter a valid duration."),
    _("Enter a valid email address."),
    _("Enter a valid time."),
    _("Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."),
    _("Enter a whole number."),
    _("Enter the same password as before, for verification."),
    _("Filter"),
    _("Filter navigation items"),
    _("Hide counts"),
    _("Hold down “Control”, or “Command” on a Mac, to select more than one."),
    _("Items must be selected in order to perform actions on them. No items have been changed."),
    _("Lookup"),
    _("Models in the %(name)s application"),
    _("My actions"),
    _("New password confirmation"),
    _("No action selected."),
    _("No fields changed."),
    _("Not empty"),
    _("Objects"),
    _("Password change"),
    _("Password changed successfully."),
    _("Password confirmation"),
    _("Personal info"),
    _("Please enter a correct %(username)s and password. Note that both fields may be case-sensitive."),
    _(
        "Please enter the correct %(username)s and password for a staff account. Note that both fields may "
        "be case-sensitive."
    ),
    _("Recent actions"),
    _("Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only."),
    _("Save and add another"),
    _("Save and view"),
    _("Save as new"),
    _("Select %s"),
    _("Select %s to change"),
    _("Select %s to view"),
    _("Select a valid choice. %(value)s is not one of the available choices."),
    _("Select a valid choice. That choice is not one of the available choices."),
    _("Select all %(total_count)s %(module_name)s"),
    _("Select all objects on this page for an action"),
    _("Select this object for an action - {}"),
    _("Show counts"),
    _("Sorting priority: %(priority_number)s"),
    _("Start typing to filter…"),
    _("Successfully deleted %(count)d %(items)s."),
    _("Summary"),
    _("The %(name)s “%(obj)s” was deleted successfully."),
    _("The password is too similar to the %(verbose_name)s."),
    _("The two password fields didn’t match."),
    _("The {name} “{obj}” was added successfully."),
    _("The {name} “{obj}” was added successfully. You may add another {name} below."),
    _("The {name} “{obj}” was changed successfully."),
    _("The {name} “{obj}” was changed successfully. You may add another {name} below."),
    _("The {name} “{obj}” was changed successfully. You may edit it again below."),
    _("This account is inactive."),
    _("This field is required."),
    _("This password is entirely numeric."),
    _("This password is too common."),
    _("Toggle navigation"),
    _("Toggle theme (current theme: auto)"),
    _("Toggle theme (current theme: dark)"),
    _("Toggle theme (current theme: light)"),
    _("Unknown content"),
    _("Upload a valid image. The file you uploaded was either not an image or a corrupted image."),
    _("Value %(value)r is not a valid choice."),
    _("View"),
    _("View %s"),
    _("View selected %(model)s"),
    _("View site"),
    _("Yes, I’m sure"),
    _("You don’t have permission to view or edit anything."),
    _("You may edit it again below."),
    _("Your old password was entered incorrectly. Please enter it again."),
    _("Your password can’t be a commonly used password."),
    _("Your password can’t be entirely numeric."),
    _("Your password can’t be too similar to your other personal information."),
    _("date joined"),
    _("email address"),
    _("last login"),
    _("staff status"),
    _("superuser status"),
    _("username"),
]
PLURAL_TEXTS = [
    ngettext_lazy("%(count)s %(name)s was changed successfully.", "%(count)s %(name)s were changed successfully."),
    ngettext_lazy("%(counter)s result", "%(counter)s results"),
    ngettext_lazy("%(total_count)s selected", "All %(total_count)s selected"),
    ngettext_lazy("Please correct the error below.", "Please correct the errors below."),
    ngettext_lazy(
        "This password is too short. It must contain at least %d character.",
        "This password is too short. It must contain at least %d characters.",
    ),
    ngettext_lazy(
        "Your password must contain at least %(min_length)d character.",
        "Your password must contain at least %(min_length)d characters.",
    ),
]
