"""The kinds of datasets, a line each."""

KINDS = {
    "shapes": "generated images with boxes and masks; needs no files",
    "coco": "annotation files in COCO's JSON format with image folders: COCO itself, or your own",
    "voc": "XML files in Pascal VOC's format: its folders with lists, or any folder of XML with a folder of images",
    "yolo": "text files in YOLO's format, a line an object in shares of the image: images/ and labels/",
    "crowdhuman": "annotation files in CrowdHuman's odgt format with an image folder: people, and regions to ignore",
}
