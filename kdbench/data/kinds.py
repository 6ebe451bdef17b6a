"""The kinds of datasets, a line each."""

KINDS = {
    "shapes": "generated images with boxes and masks; needs no files",
    "coco": "annotation files in COCO's JSON format with image folders: COCO itself, or your own",
    "voc": "folders in Pascal VOC's format: Annotations/, ImageSets/Main/, JPEGImages/",
    "crowdhuman": "annotation files in CrowdHuman's odgt format with an image folder: people, and regions to ignore",
}
