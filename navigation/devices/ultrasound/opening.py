"""Opens a recording by what its path is: a folder of images, a video file, a sequence of PLUS, a recording of ours."""

from __future__ import annotations

from pathlib import Path

from navigation.devices.ultrasound import image_folder, mcap, video_file
from navigation.devices.ultrasound.image_folder import ImageFolder
from navigation.devices.ultrasound.mcap import McapImages
from navigation.devices.ultrasound.plus import header
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from navigation.devices.ultrasound.source import UltrasoundRecording
from navigation.devices.ultrasound.video_file import VideoFile
from navigation.errors import DeviceError

ACTIONS = {
    **dict.fromkeys(image_folder.SUFFIXES, "name the folder that the image is in"),
    **dict.fromkeys((".nrrd", ".nhdr"), "write it as .igs.mha: EditSequenceFile of PLUS, or export from 3D Slicer"),
    **dict.fromkeys((".dcm", ".dicom"), "export the clip as images or as a video file"),
}


def open_recording(name: str | Path, rate_hz: float | None = None) -> UltrasoundRecording:
    """The recording at that path.

    Args:
        name: a folder of images, a video file, a sequence metafile of PLUS or 3D Slicer, or a recording of serve.
        rate_hz: frames a second of a folder of images; without it they are stills.

    Raises:
        DeviceError: another kind of file, a rate for a recording that has times of its own, or what the reader of that
            kind refuses.
    """
    path = Path(name)
    suffix = path.suffix.lower()
    if path.is_dir():
        return ImageFolder(path, rate_hz)
    if suffix in (*video_file.SUFFIXES, *header.SUFFIXES, mcap.SUFFIX) and path.exists():
        if rate_hz is not None:
            raise DeviceError(
                f"a rate of {rate_hz:g} frames a second for {path}, which has times of its own",
                "a rate for a folder of images only",
                "leave the rate away; the speed of playback is another matter",
            )
        if suffix == mcap.SUFFIX:
            return McapImages(path)
        return VideoFile(path) if suffix in video_file.SUFFIXES else PlusSequence(path)
    raise DeviceError(
        f"{path}, which is {'of no kind that is read' if path.exists() else 'not there'}",
        f"a folder of images ({' '.join(image_folder.SUFFIXES)}), a video file ({' '.join(video_file.SUFFIXES)}), or a "
        f"sequence of PLUS ({' '.join(f'.igs{suffix}' for suffix in header.SUFFIXES)}), or a recording of ours (.mcap)",
        ACTIONS.get(suffix, "check the path, or convert the file"),
    )
