"""JSON files of other tools that are taken for COCO's: who wrote them, and what to do."""

from __future__ import annotations

from typing import Any


def tool_of(content: Any) -> str:
    """A closing hint for a file that is not COCO's; empty where nothing is known of it.

    Example:
        >>> tool_of({"shapes": [], "imagePath": "a.jpg"})
        '; it is a LabelMe file of one image, convert the folder with labelme2coco'
    """
    first = content[0] if isinstance(content, list) and content else content
    if isinstance(content, list) and isinstance(first, dict):
        if {"score", "bbox"} <= first.keys():
            return "; it is a list of detections, give the annotation file"
        if "annotations" in first and ("data" in first or "id" in first):
            return "; it is Label Studio's own JSON, export as COCO"
        if "image" in first and "annotations" in first:
            return "; it is CreateML's, export as COCO"
        if {"images", "annotations", "categories"} <= first.keys():
            return "; it is COCO's object inside of a list, take the outer brackets out"
        if "file_name" in first and "annotations" in first:
            return "; it is detectron2's list of dicts, write it with convert_to_coco_json"
        if "filename" in first and "ann" in first:
            return "; it is mmdet's middle format, write it as COCO"
        if any(isinstance(value, list) and value and "rectanglelabels" in str(value[0]) for value in first.values()):
            return "; it is Label Studio's JSON-MIN, export as COCO"
        return "; it is a list of records, give one object with the three lists"
    if isinstance(content, str):
        return "; it is JSON written as a text once more, load it twice"
    if not isinstance(content, dict):
        return ""
    if "shapes" in content and ("imagePath" in content or "imageData" in content):
        return "; it is a LabelMe file of one image, convert the folder with labelme2coco"
    if "_via_img_metadata" in content or any(isinstance(v, dict) and "regions" in v for v in content.values()):
        return "; it is VIA's own JSON, export annotations as COCO"
    if "metainfo" in content and "data_list" in content:
        return "; it is mmdet 3's own JSON, write it as COCO"
    if "objects" in content and "size" in content:
        return "; it is Supervisely's file of one image, export as COCO"
    if "samples" in content:
        return "; it is FiftyOne's own JSON, export with COCODetectionDataset"
    if "images" in content and "categories" in content and "annotations" not in content:
        return "; a list of images without annotations teaches nothing"
    return ""
