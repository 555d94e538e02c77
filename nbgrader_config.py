"""nbgrader's configuration for this course; `autograder` reads it too.

Options: nbgrader generate_config, and https://nbgrader.readthedocs.io/en/stable/configuration/config_options.html
"""

c = get_config()

c.CourseDirectory.course_id = "cnn-course"
c.CourseDirectory.source_directory = "notebooks"
c.Autograder.title = "CNNs III: regularization and training"
# release/, submitted/, autograded/, feedback/ and gradebook.db have nbgrader's default names.

# Submissions are hostile until proven otherwise: in feedback pages and in the formgrader nothing of theirs may run.
# The switch alone does not reach what nbgrader's templates override, see autograder/pages/sanitize.py.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {
    "clean_html": "autograder.pages.sanitize.clean_html",
    "strip_files_prefix": "autograder.pages.sanitize.strip_files_prefix",
}

# `nbgrader autograde` and the formgrader's Autograde button grade like `autograder grade`: in the sandbox, with the
# verdict made outside the student's process.  The score reaches the gradebook through nbgrader's own SaveAutoGrades.
c.Autograde.exporter_class = "autograder.grading.preprocessors.SubmittedNotebook"
c.Autograde.sanitize_preprocessors = ["autograder.grading.preprocessors.Repair"]
c.Autograde.autograde_preprocessors = [
    "autograder.grading.preprocessors.GradeInSandbox",
    "nbgrader.preprocessors.SaveAutoGrades",
    "autograder.grading.preprocessors.LatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
