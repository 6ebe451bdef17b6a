"""CrowdHuman's metrics, none of which is COCO's or VOC's."""
