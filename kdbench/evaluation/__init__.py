"""Figures of detections: COCO, VOC and CrowdHuman; operations of a detector; an export measured by plain mmdet."""
